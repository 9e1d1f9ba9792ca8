// How the core says that something did not work: a message of the catalogue and one sentence.
//
// From the environment (files, sockets, DNS): Result<T>. From the wire: a Reply. From configuration: a list of
// problems. From a plugin: caught at the boundary. See docs/architecture.md, "Errors".
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postern {

struct Problem {
    std::string_view id;  // an entry of base/messages.hpp
    std::string text;     // names file, host or certificate, and the remedy
};

[[noreturn]] inline void throw_exception_from_error(const Problem& problem, const boost::source_location&) {
    throw std::logic_error("Result without value was dereferenced: " + problem.text);
}

template <class T>
using Result = boost::system::result<T, Problem>;

}  // namespace postern
