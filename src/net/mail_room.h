// Mail between the workers of this process: the Peers port on one Mailbox and one event loop per worker.
// Made before the core and outliving it. post() and run_on() may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "broker/ports.h"
#include "net/event_loop.h"
#include "net/mailbox.h"

namespace nightjar::net {

class MailRoom final : public broker::Peers {
 public:
  static Result<std::unique_ptr<MailRoom>> open(std::uint16_t workers);

  void post(broker::WorkerIndex from, broker::WorkerIndex to,
            std::unique_ptr<broker::MailBatch> batch) override;
  // Runs `task` on the worker's thread inside one of its turns.
  void run_on(broker::WorkerIndex worker, std::function<void(broker::Worker&)> task);

  [[nodiscard]] std::uint16_t workers() const { return static_cast<std::uint16_t>(boxes_.size()); }
  EventLoop& loop(broker::WorkerIndex worker) { return *boxes_[worker.value]->loop; }
  Mailbox& mailbox(broker::WorkerIndex worker) { return boxes_[worker.value]->mailbox; }

 private:
  // Mailboxes of different workers share no cache line.
  struct alignas(64) Box {
    std::unique_ptr<EventLoop> loop;
    Mailbox mailbox;
  };
  std::vector<std::unique_ptr<Box>> boxes_;
};

}  // namespace nightjar::net
