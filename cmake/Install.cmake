# What is installed: the programs with their plugins, scripts and docs, and as component `sdk` what a plugin is built
# with: headers, CMake package, pkg-config and the scaffold.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(POSTERN_PLUGIN_FOLDER lib/postern/plugins)
set(sdk_cmake_folder lib/cmake/PosternSDK)

# The SDK's version stands in its header alone.
file(STRINGS ${CMAKE_SOURCE_DIR}/include/postern/abi.hpp lines REGEX "sdk_(major|minor) = [0-9]+")
string(REGEX MATCHALL "= [0-9]+" numbers "${lines}")
string(REPLACE "= " "" numbers "${numbers}")
list(JOIN numbers "." POSTERN_SDK_VERSION)
if(POSTERN_SANITIZE)
  set(POSTERN_SDK_FLAGS "-fsanitize=${POSTERN_SANITIZE} -fno-omit-frame-pointer")
  target_compile_options(postern_sdk INTERFACE
    $<INSTALL_INTERFACE:-fsanitize=${POSTERN_SANITIZE}> $<INSTALL_INTERFACE:-fno-omit-frame-pointer>)
  target_link_options(postern_sdk INTERFACE $<INSTALL_INTERFACE:-fsanitize=${POSTERN_SANITIZE}>)
endif()

install(TARGETS posternd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT server)
install(TARGETS postern RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
get_property(plugins GLOBAL PROPERTY POSTERN_PLUGINS)
install(TARGETS ${plugins} LIBRARY DESTINATION ${POSTERN_PLUGIN_FOLDER} COMPONENT server)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/scripts DESTINATION ${CMAKE_INSTALL_DATADIR}/postern COMPONENT server)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/postern.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT server)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/postern.service DESTINATION lib/systemd/system COMPONENT server)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT server)

set_target_properties(postern_sdk PROPERTIES EXPORT_NAME SDK)
install(TARGETS postern_sdk EXPORT PosternSDKTargets COMPONENT sdk)
install(EXPORT PosternSDKTargets NAMESPACE Postern:: DESTINATION ${sdk_cmake_folder} COMPONENT sdk)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/postern DESTINATION include COMPONENT sdk)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/PosternSDKConfig.cmake.in
  ${CMAKE_BINARY_DIR}/PosternSDKConfig.cmake INSTALL_DESTINATION ${sdk_cmake_folder} PATH_VARS POSTERN_PLUGIN_FOLDER)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/PosternSDKConfigVersion.cmake VERSION ${POSTERN_SDK_VERSION}
  COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_BINARY_DIR}/PosternSDKConfig.cmake ${CMAKE_BINARY_DIR}/PosternSDKConfigVersion.cmake
  ${CMAKE_SOURCE_DIR}/cmake/PosternSDKPlugin.cmake ${CMAKE_SOURCE_DIR}/cmake/plugin.map
  DESTINATION ${sdk_cmake_folder} COMPONENT sdk)
configure_file(${CMAKE_SOURCE_DIR}/cmake/postern-sdk.pc.in ${CMAKE_BINARY_DIR}/postern-sdk.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/postern-sdk.pc DESTINATION lib/pkgconfig COMPONENT sdk)
install(PROGRAMS ${CMAKE_SOURCE_DIR}/tools/new-plugin DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME postern-new-plugin
  COMPONENT sdk)
# Kept where nothing is installed into it: the SDK alone may be installed.
install(DIRECTORY DESTINATION ${POSTERN_PLUGIN_FOLDER} COMPONENT sdk)
