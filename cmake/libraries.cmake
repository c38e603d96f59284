# Foreign libraries, each found once; folders name what they need.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(GMIME REQUIRED IMPORTED_TARGET gmime-3.0)
pkg_check_modules(IDN2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(HIREDIS_SSL IMPORTED_TARGET hiredis_ssl>=1.0) # TLS to Redis; Debian 12 has none
pkg_check_modules(OPENSSL IMPORTED_TARGET openssl)
pkg_check_modules(CONFIG REQUIRED IMPORTED_TARGET libconfig)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(LDAP REQUIRED IMPORTED_TARGET ldap)
if(BW_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# libmilter has no pkg-config file on Debian.
find_path(MILTER_INCLUDE libmilter/mfapi.h REQUIRED)
find_library(MILTER_LIBRARY milter REQUIRED)
add_library(milter_library INTERFACE)
target_include_directories(milter_library SYSTEM INTERFACE ${MILTER_INCLUDE})
target_link_libraries(milter_library INTERFACE ${MILTER_LIBRARY} Threads::Threads)
