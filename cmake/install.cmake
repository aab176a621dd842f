# The installed tree: headers, static libraries, the CMake package `braid` with the target braid::braid, and the program.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# What an embedding program links: the engine and the query language, no sockets.
add_library(braid_braid INTERFACE)
target_link_libraries(braid_braid INTERFACE braid_db braid_query)
set_target_properties(braid_braid PROPERTIES EXPORT_NAME braid)
add_library(braid::braid ALIAS braid_braid)

set(library_rooms braid_braid braid_contract braid_memory braid_base braid_io braid_codec braid_part braid_head braid_db
    braid_query_contract braid_query_syntax braid_query_memory braid_query_vector braid_query_rows braid_query)
install(TARGETS ${library_rooms} EXPORT braid_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/braid)
install(DIRECTORY engine/include/braid query/include/braid DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT braid_targets NAMESPACE braid:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/braid)
configure_file(cmake/braid-config.cmake.in ${PROJECT_BINARY_DIR}/braid-config.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/braid-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/braid-config.cmake ${PROJECT_BINARY_DIR}/braid-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/braid)
if(TARGET braid)
  install(TARGETS braid RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
