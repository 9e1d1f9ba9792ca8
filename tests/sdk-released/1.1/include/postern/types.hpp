// The few value types that everything else in the SDK is made of.
//
// What may cross between host and plugin: string, string_view, span, vector, optional, function, chrono, fixed-width
// integers, and the types of this SDK. Structs are frozen once released (a new field is a new struct); enums have a
// fixed type and a receiver treats an unknown value as nonsense, that is: fail closed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;
using Time = std::chrono::system_clock::time_point;  // UTC
using Milliseconds = std::chrono::milliseconds;

// Why something could not be done. `token` is one of the stable reason tokens ("crl-unreachable", "plugin-failed"),
// `text` one plain sentence that ends in what to do next. Never holds a secret.
struct Failure {
    std::string token;
    std::string text;
};

// Base of objects shared across the boundary; the side that made the object also deletes it.
class Counted {
public:
    Counted() = default;
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    virtual ~Counted() = default;
    void add_reference() const { count_.fetch_add(1, std::memory_order_relaxed); }
    void drop_reference() const {
        if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

private:
    mutable std::atomic<std::uint32_t> count_{0};
};

// Owning pointer to a Counted. Copy from any thread; the object itself says what may be called from where.
template <class T>
class Ref {
public:
    Ref() = default;
    explicit Ref(T* object) : object_(object) {
        if (object_) object_->add_reference();
    }
    Ref(const Ref& other) : Ref(other.object_) {}
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    template <class U>
    Ref(const Ref<U>& other) : Ref(static_cast<T*>(other.get())) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_) object_->drop_reference();
    }
    T* get() const { return object_; }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }

private:
    T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
    return Ref<T>(new T(std::forward<Args>(args)...));
}

// An SMTP reply as a decider may give it. The host checks it (RFC 5321 4.2, RFC 2034): a code of 4xx or 5xx, the
// enhanced class equal to it, printable text without line breaks; anything else becomes 451 4.3.0.
struct Reply {
    std::uint16_t code = 0;
    std::string enhanced;  // "4.7.5", or empty
    std::string text;      // begins with the reason's token and a colon where the reply is a refusal
};

enum class VerdictKind : std::uint8_t { proceed = 1, defer = 2, reject = 3 };

// A decider's answer. When deciders disagree the strictest wins: reject before defer before proceed.
struct Verdict {
    VerdictKind kind = VerdictKind::proceed;
    Reply reply;  // for defer (4xx) and reject (5xx)

    static Verdict proceed() { return {}; }
    static Verdict defer(std::string text, std::string enhanced = "4.3.0", std::uint16_t code = 451) {
        return {VerdictKind::defer, {code, std::move(enhanced), std::move(text)}};
    }
    static Verdict reject(std::string text, std::string enhanced = "5.7.1", std::uint16_t code = 550) {
        return {VerdictKind::reject, {code, std::move(enhanced), std::move(text)}};
    }
};

}  // namespace postern
