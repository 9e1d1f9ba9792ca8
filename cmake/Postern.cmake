# The project's build vocabulary: options, flags, and a function each for a folder of core, a plugin, a test.
option(POSTERN_TESTS "build the tests" ON)
option(POSTERN_BENCH "build bench/" OFF)
option(POSTERN_FUZZ "build the libFuzzer targets (clang)" OFF)
set(POSTERN_SANITIZE "" CACHE STRING "address,undefined | thread | empty")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(POSTERN_CCACHE ccache)
if(POSTERN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${POSTERN_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror=return-type -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Precompiled headers survive ccache only when preprocessed output names them.
  add_compile_options(-fpch-preprocess -Werror -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
    -Wno-error=array-bounds -Wno-error=restrict -Wno-missing-field-initializers)
endif()
if(POSTERN_SANITIZE)
  add_compile_options(-fsanitize=${POSTERN_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${POSTERN_SANITIZE})
  if(POSTERN_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences: GCC warns that TSan does not model them, which costs at most a false report, never a missed build.
    add_compile_options(-Wno-tsan)
  endif()
else()
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
endif()
find_program(POSTERN_MOLD mold)
if(POSTERN_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,-z,relro,-z,now)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# A folder of core/: one static library that links the folders before it, and nothing else of core.
#   postern_folder(smtp LAYERS mail policy LIBRARIES ...)
function(postern_folder name)
  cmake_parse_arguments(ARG "" "" "LAYERS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(postern_${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(postern_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(postern_${name} ${scope} ${CMAKE_SOURCE_DIR}/core)
  list(TRANSFORM ARG_LAYERS PREPEND postern_)
  target_link_libraries(postern_${name} ${scope} postern_sdk ${ARG_LAYERS} ${ARG_LIBRARIES} Threads::Threads)
endfunction()

# A plugin: its logic as a static library (so that tests and fuzzers link it directly) and the shared object, which
# exports one symbol and leaves none open.
#   postern_plugin(crl LIBRARIES postern_x509 PkgConfig::gnutls)
function(postern_plugin name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/plugin\\.cpp$")
  add_library(plugin_${name}_logic STATIC ${sources} ${CMAKE_SOURCE_DIR}/cmake/empty.cpp)
  target_compile_options(plugin_${name}_logic PRIVATE -fvisibility=hidden -fno-gnu-unique)
  target_include_directories(plugin_${name}_logic PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/..)
  target_link_libraries(plugin_${name}_logic PUBLIC postern_sdk ${ARG_LIBRARIES} Threads::Threads)
  add_library(plugin_${name} MODULE plugin.cpp)
  target_compile_options(plugin_${name} PRIVATE -fvisibility=hidden -fno-gnu-unique)
  target_link_libraries(plugin_${name} PRIVATE plugin_${name}_logic)
  target_link_options(plugin_${name} PRIVATE -Wl,--exclude-libs,ALL
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/plugin.map)
  if(NOT POSTERN_SANITIZE)
    target_link_options(plugin_${name} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  if(POSTERN_TESTS AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/tests)
    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tests/*.cpp)
    if(tests)
      postern_test(plugin_${name}_test SOURCES ${tests} LIBRARIES plugin_${name}_logic)
    endif()
  endif()
endfunction()

# A Catch2 program; `LIBRARIES` are all that it may see.
function(postern_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} postern_catch)
  target_compile_definitions(${name} PRIVATE POSTERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    POSTERN_BUILD_DIR="${CMAKE_BINARY_DIR}")
  # The precompiled header is a library's (-fPIC): the program must be compiled alike to share it.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM postern_catch_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

if(POSTERN_TESTS)
  find_package(Catch2 2 REQUIRED)
  # Catch2's one header costs seconds: compiled once for main, precompiled once for every test.
  add_library(postern_catch_main STATIC ${CMAKE_SOURCE_DIR}/cmake/catch_main.cpp ${CMAKE_SOURCE_DIR}/cmake/catch_pch.cpp)
  target_link_libraries(postern_catch_main PUBLIC Catch2::Catch2 Threads::Threads)
  target_compile_definitions(postern_catch_main PRIVATE POSTERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    POSTERN_BUILD_DIR="${CMAKE_BINARY_DIR}")
  target_precompile_headers(postern_catch_main PRIVATE <catch2/catch.hpp> <string> <vector> <functional>)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/cmake/catch_main.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  add_library(postern_catch INTERFACE)
  target_link_libraries(postern_catch INTERFACE postern_catch_main Catch2::Catch2)
endif()
