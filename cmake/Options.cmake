# Compiler and linker settings that every target shares, as one interface target.
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Threads REQUIRED)

add_library(nightjar_options INTERFACE)
add_library(nightjar::options ALIAS nightjar_options)
target_include_directories(nightjar_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(nightjar_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wimplicit-fallthrough -Werror
  # Designated initializers name what differs from the default; the rest is left out on purpose.
  -Wno-missing-field-initializers
  # g++ has it on; clang (fuzz targets) must be told.
  $<$<CXX_COMPILER_ID:Clang>:-fsized-deallocation>)
target_link_libraries(nightjar_options INTERFACE Boost::boost Threads::Threads)

find_program(MOLD mold)
if(MOLD)
  # g++ 12 and clang 14 both know mold by name.
  target_link_options(nightjar_options INTERFACE -fuse-ld=mold)
endif()

if(NIGHTJAR_SANITIZE)
  set(_sanitize -fsanitize=${NIGHTJAR_SANITIZE})
  if(NIGHTJAR_SANITIZE MATCHES undefined)
    # The vptr check opens a pipe to see whether memory is readable, and so reports valid objects as soon as a test
    # has used up the file descriptors.
    list(APPEND _sanitize -fno-sanitize=vptr)
  endif()
  target_compile_options(nightjar_options INTERFACE
    ${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer -fno-optimize-sibling-calls)
  # The instrumentation hides from g++ 12 which member of a variant is there; the optimized build has the warning on.
  target_compile_options(nightjar_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(nightjar_options INTERFACE ${_sanitize})
  add_library(nightjar_sanitizer_options OBJECT ${CMAKE_CURRENT_LIST_DIR}/sanitizer_options.cc)
  # Every program links them; an archive would be left out, because only the runtime looks for them.
  target_link_libraries(nightjar_options INTERFACE $<TARGET_OBJECTS:nightjar_sanitizer_options>)
endif()
if(NIGHTJAR_FUZZ)
  # Coverage feedback for the code under test; a fuzz target itself links with -fsanitize=fuzzer.
  target_compile_options(nightjar_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(NIGHTJAR_COVERAGE)
  target_compile_options(nightjar_options INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(nightjar_options INTERFACE --coverage)
endif()
