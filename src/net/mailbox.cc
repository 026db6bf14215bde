#include "net/mailbox.h"

#include <utility>

namespace nightjar::net {

Mailbox::~Mailbox() {
  take([](std::unique_ptr<broker::MailBatch>) {});
}

bool Mailbox::post(std::unique_ptr<broker::MailBatch> batch) {
  broker::MailBatch* const posted = batch.release();
  posted->next = newest_.load(std::memory_order_relaxed);
  // Sequentially consistent together with may_sleep(): either this load sees the worker asleep, or the
  // worker's load sees the batch.
  while (!newest_.compare_exchange_weak(posted->next, posted, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
  }
  return is_asleep_.load(std::memory_order_seq_cst) && is_asleep_.exchange(false, std::memory_order_seq_cst);
}

bool Mailbox::may_sleep() {
  is_asleep_.store(true, std::memory_order_seq_cst);
  if (newest_.load(std::memory_order_seq_cst) == nullptr) return true;
  woke_up();
  return false;
}

broker::MailBatch* Mailbox::take_all() {
  if (newest_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  broker::MailBatch* batch = newest_.exchange(nullptr, std::memory_order_acquire);
  broker::MailBatch* oldest = nullptr;
  while (batch != nullptr) oldest = std::exchange(batch, std::exchange(batch->next, oldest));
  return oldest;
}

}  // namespace nightjar::net
