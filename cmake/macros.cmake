# bw_library(NAME SOURCES ... LINK ...): one static library, named bw_NAME, that sees include/ and links explicitly.
function(bw_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(bw_${name} STATIC ${ARG_SOURCES})
  target_include_directories(bw_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(bw_${name} PUBLIC ${ARG_LINK})
endfunction()

# bw_test_program(NAME FILE ...): a test program; its first line names what it links: /* link: bw_base bw_mail */
function(bw_test_program name file)
  file(STRINGS ${file} first LIMIT_COUNT 1)
  if(NOT first MATCHES "^/\\* link: (.*) \\*/$")
    message(FATAL_ERROR "${file}: the first line must be /* link: LIBRARIES */")
  endif()
  string(REPLACE " " ";" libraries "${CMAKE_MATCH_1}")
  add_executable(${name} ${file} ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/tests/support)
  target_link_libraries(${name} PRIVATE ${libraries} PkgConfig::CMOCKA)
  target_compile_definitions(${name} PRIVATE BW_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endfunction()

# bw_unit_test(FILE): tests/unit/test-*.c, one program and one ctest entry each.
function(bw_unit_test file)
  get_filename_component(name ${file} NAME_WE)
  bw_test_program(${name} ${file})
  add_test(NAME unit/${name} COMMAND ${name})
  set_tests_properties(unit/${name} PROPERTIES TIMEOUT 120)
endfunction()
