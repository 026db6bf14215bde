// Mail for one worker: any thread posts, the worker takes all of it at once. Batches from one thread arrive
// in the order of posting. Posting is one atomic exchange, and wakes the worker only if it sleeps.
#pragma once

#include <atomic>
#include <memory>

#include "broker/mail.h"

namespace nightjar::net {

class Mailbox {
 public:
  Mailbox() = default;
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. True: the worker sleeps, and the caller must wake it (told to one caller only).
  [[nodiscard]] bool post(std::unique_ptr<broker::MailBatch> batch);

  // The worker: hands every waiting batch to `read`, oldest first. What `read` posts waits for the next call.
  template <typename Read>
  void take(Read read) {
    for (broker::MailBatch* batch = take_all(); batch != nullptr;) {
      std::unique_ptr<broker::MailBatch> owned{batch};
      batch = batch->next;
      owned->next = nullptr;
      read(std::move(owned));
    }
  }

  // The worker, before it blocks: false if there is mail, and it must not. After the wait: woke_up().
  [[nodiscard]] bool may_sleep();
  void woke_up() { is_asleep_.store(false, std::memory_order_relaxed); }

 private:
  // All waiting batches as a list, oldest first.
  broker::MailBatch* take_all();

  std::atomic<broker::MailBatch*> newest_{nullptr};
  std::atomic<bool> is_asleep_{false};
};

}  // namespace nightjar::net
