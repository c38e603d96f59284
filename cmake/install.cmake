# `cmake --install`: programs come from their folders; here samples, scenarios and documents.
install(DIRECTORY conf/ DESTINATION ${CMAKE_INSTALL_DATADIR}/breakwater/conf PATTERN scenarios EXCLUDE PATTERN "*.in" EXCLUDE)
install(DIRECTORY conf/scenarios/ DESTINATION ${CMAKE_INSTALL_DATADIR}/breakwater/scenarios)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN man EXCLUDE)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
