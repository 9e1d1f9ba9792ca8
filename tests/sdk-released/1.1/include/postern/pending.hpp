// An answer that may come later, from any thread, without either side knowing the other's event loop.
//
// The provider returns Pending<T>: made from a value it is ready at once and allocates nothing; made by
// `Answer<T>::make()` it becomes ready when the Answer is given. An Answer is given once (a second giving is ignored);
// an Answer that is dropped ungiven is a failure. The consumer sets one Wake, which runs on the thread that gives the
// answer (or at once if it is already there), and must be short: post to your own loop. Deadlines and "is anybody
// still waiting" are the consumer's business.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <postern/types.hpp>
#include <utility>

namespace postern {

// A value, or the reason why there is none.
template <class T>
struct Outcome {
    std::optional<T> value;
    Failure failure;

    Outcome(T v) : value(std::move(v)) {}
    Outcome(Failure f) : failure(std::move(f)) {}
    explicit operator bool() const { return value.has_value(); }
    T& operator*() { return *value; }
    const T& operator*() const { return *value; }
    T* operator->() { return &*value; }
    const T* operator->() const { return &*value; }
};

using Wake = std::function<void()>;

namespace detail {
template <class T>
class PendingState : public Counted {
public:
    void give(Outcome<T> outcome) {
        Wake wake;
        {
            std::lock_guard lock(mutex_);
            if (given_) return;
            given_ = true;
            outcome_.emplace(std::move(outcome));
            wake = std::move(wake_);
            wake_ = nullptr;
        }
        if (wake) wake();
    }
    bool ready() const {
        std::lock_guard lock(mutex_);
        return outcome_.has_value();
    }
    Outcome<T> take() {
        std::lock_guard lock(mutex_);
        if (!outcome_) return Failure{"plugin-failed", "the answer was taken before it was there"};
        Outcome<T> taken = std::move(*outcome_);
        outcome_.reset();
        return taken;
    }
    void on_ready(Wake wake) {
        {
            std::lock_guard lock(mutex_);
            if (!given_) {
                wake_ = std::move(wake);
                return;
            }
        }
        wake();
    }

private:
    mutable std::mutex mutex_;
    std::optional<Outcome<T>> outcome_;
    Wake wake_;
    bool given_ = false;
};
}  // namespace detail

template <class T>
class Pending {
public:
    Pending(T value) : inside_(Outcome<T>(std::move(value))) {}
    Pending(Failure failure) : inside_(Outcome<T>(std::move(failure))) {}
    Pending(Outcome<T> outcome) : inside_(std::move(outcome)) {}
    explicit Pending(Ref<detail::PendingState<T>> state) : state_(std::move(state)) {}

    bool ready() const { return inside_.has_value() || (state_ && state_->ready()); }
    // Once, and only when ready.
    Outcome<T> take() {
        if (inside_) {
            Outcome<T> taken = std::move(*inside_);
            inside_.reset();
            return taken;
        }
        if (state_) return state_->take();
        return Failure{"plugin-failed", "the answer was taken twice"};
    }
    // At most one Wake; replaces an earlier one. An empty Wake forgets the consumer.
    void on_ready(Wake wake) {
        if (inside_) {
            if (wake) wake();
            return;
        }
        if (!wake) wake = [] {};
        if (state_) state_->on_ready(std::move(wake));
    }

private:
    std::optional<Outcome<T>> inside_;
    Ref<detail::PendingState<T>> state_;
};

// The provider's half; copies share one giving.
template <class T>
class Answer {
public:
    static Answer make() { return Answer(); }
    Pending<T> pending() const { return Pending<T>(giver_->state); }
    void give(T value) const { giver_->state->give(std::move(value)); }
    void fail(Failure failure) const { giver_->state->give(std::move(failure)); }
    void settle(Outcome<T> outcome) const { giver_->state->give(std::move(outcome)); }

private:
    struct Giver : Counted {
        Ref<detail::PendingState<T>> state = make_ref<detail::PendingState<T>>();
        ~Giver() override {
            state->give(Failure{"plugin-failed", "the provider dropped the question without an answer"});
        }
    };
    Answer() : giver_(make_ref<Giver>()) {}
    Ref<Giver> giver_;
};

}  // namespace postern
