# Headers compiled once: nightjar_precompiled for code, nightjar_precompiled_tests for tests.
# nightjar_precompile(TARGET WHICH) lets a target use one of them; both must be compiled with the same options.
set(_nothing ${CMAKE_BINARY_DIR}/precompiled.cc)
if(NOT EXISTS ${_nothing})
  file(WRITE ${_nothing} "// A precompiled header belongs to a target, and a target has a source.\n")
endif()

add_library(nightjar_precompiled OBJECT ${_nothing})
target_link_libraries(nightjar_precompiled PRIVATE nightjar::options fmt::fmt)
target_precompile_headers(nightjar_precompiled PRIVATE ${CMAKE_CURRENT_LIST_DIR}/precompiled.h)

if(NIGHTJAR_TESTS)
  find_package(GTest REQUIRED)
  add_library(nightjar_precompiled_tests OBJECT ${_nothing})
  target_link_libraries(nightjar_precompiled_tests PRIVATE nightjar::options fmt::fmt GTest::gmock)
  target_precompile_headers(nightjar_precompiled_tests PRIVATE ${CMAKE_CURRENT_LIST_DIR}/precompiled_tests.h)
endif()

function(nightjar_precompile target which)
  target_precompile_headers(${target} REUSE_FROM ${which})
endfunction()
