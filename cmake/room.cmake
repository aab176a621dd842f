# Instrumented templates are most of a sanitized compile: the files of a target that share them go through the compiler
# together. Where two files of a target have a name in common that only each may know, the target says SEPARATE.
function(braid_unity target)
  if(BRAID_SANITIZE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
  endif()
endfunction()

# room(NAME FOLDER [HEADERS_ONLY] [SEPARATE] [uses ROOM...] [libraries LIB...])
#
# One static library of all .cc files directly in FOLDER. `uses` names the rooms on the floors below whose headers it may
# include; what they use comes along. `libraries` are outside packages that belong to this room.
function(room name folder)
  cmake_parse_arguments(ROOM "HEADERS_ONLY;SEPARATE" "" "uses;libraries" ${ARGN})
  list(TRANSFORM ROOM_uses PREPEND braid_)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_main\\.cc$")
  if(NOT ROOM_HEADERS_ONLY AND NOT sources)
    message(FATAL_ERROR "room ${name}: no sources in ${folder}")
  endif()
  if(ROOM_HEADERS_ONLY)
    add_library(braid_${name} INTERFACE)
    target_include_directories(braid_${name} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/${folder}> $<INSTALL_INTERFACE:include>)
    target_include_directories(braid_${name} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
    target_link_libraries(braid_${name} INTERFACE ${ROOM_uses} ${ROOM_libraries})
    target_compile_features(braid_${name} INTERFACE cxx_std_20)
  else()
    add_library(braid_${name} STATIC ${sources})
    if(NOT ROOM_SEPARATE)
      braid_unity(braid_${name})
    endif()
    target_include_directories(braid_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
    target_link_libraries(braid_${name} PUBLIC ${ROOM_uses} ${ROOM_libraries} PRIVATE $<BUILD_INTERFACE:braid_warnings>)
  endif()
endfunction()
