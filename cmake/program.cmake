# The one program. The library comes from room(tools); this is its main.
if(EXISTS ${PROJECT_SOURCE_DIR}/tools/braid_main.cc)
  add_executable(braid tools/braid_main.cc)
  target_link_libraries(braid PRIVATE braid_tools braid_warnings)
  set_target_properties(braid PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endif()
