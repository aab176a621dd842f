# Compiler settings of Braid's own targets; none of them reaches a project that embeds the library.
find_program(BRAID_CCACHE ccache)
if(BRAID_CCACHE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BRAID_CCACHE})
endif()
find_program(BRAID_MOLD mold)

add_library(braid_warnings INTERFACE)
target_compile_options(braid_warnings INTERFACE -Wall -Wextra -Wno-missing-field-initializers)

if(PROJECT_IS_TOP_LEVEL)
  # For sanitized builds alone: mold 1.10 keeps the unwind entry of a cold part without bytes, such as -O2 makes; it has
  # the address of the function behind it and may be found in its place, and a thrown exception then ends the process.
  if(BRAID_MOLD AND BRAID_SANITIZE)
    add_link_options(-fuse-ld=mold)
  endif()
  # Invariants and library assertions stay on in release builds. The instruction set is that of any x86-64 server of the
  # last ten years; kernels that want more choose at run time.
  add_compile_options(-fno-omit-frame-pointer -fstack-protector-strong)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_link_options(-pie -Wl,-z,relro,-z,now)
  if(CMAKE_BUILD_TYPE STREQUAL Release)
    set(CMAKE_CXX_FLAGS_RELEASE "-O2")
    add_compile_definitions(_FORTIFY_SOURCE=2)
  endif()
  # Build type of the sanitized tests: quick to compile, quick enough to run, line numbers in reports.
  set(CMAKE_CXX_FLAGS_CHECKED "-O1 -g1")
  if(BRAID_SANITIZE)
    add_compile_options(-fsanitize=${BRAID_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${BRAID_SANITIZE})
  endif()
endif()
