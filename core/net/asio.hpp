// The one door to Asio: compiled once (asio.cpp), included by net/ and app/ alone.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace postern::net {
namespace asio = boost::asio;
using boost::asio::awaitable;
using boost::asio::ip::tcp;
using boost::system::error_code;
inline constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
using Deadline = std::chrono::steady_clock::time_point;
inline Deadline within(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }
}  // namespace postern::net
