// Final delivery into Maildir folders FOLDER/DOMAIN/LOCAL-PART/{tmp,new,cur}, all under one uid. Blocks: meant for a
// lane. A message is whole and on stable storage before it appears in new/.
#pragma once

#include <atomic>
#include <postern/delivery.hpp>
#include <string>

namespace postern::maildir {

// Whether a name may be a folder: no separators, no "..", no hidden names, bounded.
bool is_safe(std::string_view name);

class Maildir : public Delivery {
public:
    void folder(std::string path) { folder_ = std::move(path); }
    Pending<DeliveryResult> deliver(DeliveryRequest request) override;

private:
    std::string unique_name();
    std::string folder_;
    std::atomic<unsigned> count_{0};
};

}  // namespace postern::maildir
