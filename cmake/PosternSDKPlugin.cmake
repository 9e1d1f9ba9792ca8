# postern_sdk_plugin(NAME SOURCE...): a plugin as the host wants it, which exports one symbol, leaves none open and can be
# checked before its code runs. NAME is its name in the configuration and in POSTERN_PLUGIN.
set(POSTERN_SDK_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/plugin.map)
function(postern_sdk_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE Postern::SDK)
  target_compile_options(${name} PRIVATE -fvisibility=hidden $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL -Wl,--version-script=${POSTERN_SDK_VERSION_SCRIPT})
  if(NOT POSTERN_SDK_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name})
endfunction()
