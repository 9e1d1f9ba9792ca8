// Calls into PKCS#11 modules: somebody else's code in our process, before a device or a network, which may not come
// back. Each has a thread of its own and is waited for so long and no longer. Until a late one is back, its token is
// asked nothing more: what waits in vain stays few.
//
// It knows neither keys nor certificates.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace postern::tls_mutual {

class TokenCalls {
public:
    static TokenCalls& of_process();

    // What `call` returned; nothing where it did not come in time, or was not begun since an earlier one of this token
    // hangs. A late result is dropped on the call's own thread. `call` owns what it works with.
    template <class T>
    std::optional<T> within(std::chrono::milliseconds time, const std::string& token, std::function<T()> call);
    bool hangs(const std::string& token) const;
    // What nobody waits for.
    void apart(std::function<void()> call);
    // What could not be closed since the token hangs: let go of when it is back.
    void abandon(const std::string& token, std::shared_ptr<void> what);

    // Told when a token begins to hang (on the thread that waited) and when it is back (on the call's own).
    using News = std::function<void(const std::string& token, bool hangs)>;
    void tell(News news);

private:
    static bool begin(std::function<void()> body);
    void late(const std::string& token);
    void back(const std::string& token);
    static void leave_at_once(int status, void*);

    mutable std::mutex mutex_;
    std::map<std::string, int> late_;  // calls that hang, by token
    std::multimap<std::string, std::shared_ptr<void>> abandoned_;
    bool leaves_at_once_ = false;
    std::mutex telling_;
    News news_;
};

template <class T>
std::optional<T> TokenCalls::within(std::chrono::milliseconds time, const std::string& token, std::function<T()> call) {
    struct Slot {
        std::mutex mutex;
        std::condition_variable filled;
        std::optional<T> value;
        bool given_up = false;
    };
    const auto slot = std::make_shared<Slot>();
    auto body = [this, slot, token, call = std::move(call)]() mutable {
        std::optional<T> value(call());
        call = nullptr;
        {
            const std::lock_guard held(slot->mutex);
            if (!slot->given_up) {
                slot->value = std::move(value);
                slot->filled.notify_all();
                return;
            }
        }
        value.reset();
        back(token);
    };
    if (hangs(token) || !begin(std::move(body))) return std::nullopt;
    {
        std::unique_lock held(slot->mutex);
        if (slot->filled.wait_for(held, time, [&] { return slot->value.has_value(); })) return std::move(slot->value);
        slot->given_up = true;
        const std::lock_guard counted(mutex_);
        ++late_[token];
    }
    late(token);
    return std::nullopt;
}

}  // namespace postern::tls_mutual
