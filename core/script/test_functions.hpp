// What tests of scripts find in `test`, in one table: test_library.cpp binds it, the annotations are printed from it,
// and docs/scripts.md tells it at length.
#pragma once

#include <script/api.hpp>

namespace postern::script {

// All but the C functions, which only a test case knows.
std::span<const ApiRow> test_rows();
// What a test says the script is to see, and what test.ask gives back.
std::vector<ApiClass> test_classes();

}  // namespace postern::script
