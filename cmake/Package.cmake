# nightjar_package(NAME DEPS libs...): the library nightjar::NAME from src/NAME/**/*.cc, and, with tests
# on, the test executable NAME_test from src/NAME/**/*_test.cc beside the code.
# A package without code yet is an interface library, so that the picture of the dependencies is complete.
function(nightjar_package name)
  cmake_parse_arguments(ARG "" "" "DEPS;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(nightjar_${name} STATIC ${sources})
    target_link_libraries(nightjar_${name} PRIVATE nightjar::options PUBLIC ${ARG_DEPS})
    target_include_directories(nightjar_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    nightjar_precompile(nightjar_${name} nightjar_precompiled)
  else()
    add_library(nightjar_${name} INTERFACE)
    target_link_libraries(nightjar_${name} INTERFACE ${ARG_DEPS})
    target_include_directories(nightjar_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
  endif()
  add_library(nightjar::${name} ALIAS nightjar_${name})

  if(NIGHTJAR_TESTS AND tests)
    nightjar_test(${name}_test SOURCES ${tests} LABEL fast LIBS nightjar::${name} ${ARG_TEST_DEPS})
  endif()
endfunction()

# nightjar_test(NAME SOURCES files... LABEL label [LIBS libs...]): a GoogleTest executable; ctest knows each
# of its tests as NAME:Suite.Test. They are listed when ctest runs, not at every link: an instrumented
# binary starts slowly, and a build must not fail because a binary cannot run.
function(nightjar_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LIBS" ${ARGN})
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})  # tests/support
  # rapidcheck has no CMake package in Debian.
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} nightjar::options GTest::gmock GTest::gtest_main rapidcheck)
  nightjar_precompile(${name} nightjar_precompiled_tests)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
    TEST_PREFIX ${name}: PROPERTIES LABELS ${ARG_LABEL})
endfunction()
