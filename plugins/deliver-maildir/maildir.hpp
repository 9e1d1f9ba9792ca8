// Final delivery into Maildir folders FOLDER/DOMAIN/LOCAL-PART/{tmp,new,cur}, all under one uid. Blocks: meant for a
// lane. A message is whole and on stable storage before it appears in new/, and its name there before "delivered" is
// said. FOLDER itself is never made by a delivery: where a mount is missing, mail must wait and not fill the disk
// below.
#pragma once

#include <atomic>
#include <deliver-maildir/folder.hpp>
#include <mutex>
#include <postern/host.hpp>

namespace postern::maildir {

// Whether a name may be a folder: no separators, no "..", no hidden names, no controls, at most NAME_MAX.
bool is_safe(std::string_view name);

class Maildir : public Delivery {
public:
    explicit Maildir(Host& host) : host_(host) {}
    // Any thread. Makes the folder (not its parents) where it is missing.
    void use(const std::string& folder);
    Pending<DeliveryResult> deliver(DeliveryRequest request) override;

    // Of a message's file; settable so that a test can make names collide.
    std::function<std::string()> name = [this] { return unique_name(); };

private:
    std::string folder() const;
    void failed(const std::string& mailbox, const std::string& text);
    void succeeded(const std::string& mailbox);
    std::string unique_name();
    Outcome<std::string> put(const std::string& domain, const std::string& local, MessageSource& message);

    Host& host_;
    mutable std::mutex mutex_;
    std::string folder_;
    std::string failing_;  // the mailbox that raised the alarm
    Time failed_at_{};
    std::atomic<unsigned> count_{0};
};

}  // namespace postern::maildir
