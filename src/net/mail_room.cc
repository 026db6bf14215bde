#include "net/mail_room.h"

#include <utility>

namespace nightjar::net {

Result<std::unique_ptr<MailRoom>> MailRoom::open(std::uint16_t workers) {
  auto room = std::make_unique<MailRoom>();
  for (std::uint16_t i = 0; i < workers; ++i) {
    room->boxes_.push_back(std::make_unique<Box>());
    NJ_TRY(room->boxes_.back()->loop, EventLoop::open());
  }
  return room;
}

void MailRoom::post(broker::WorkerIndex, broker::WorkerIndex to, std::unique_ptr<broker::MailBatch> batch) {
  Box& box = *boxes_[to.value];
  if (box.mailbox.post(std::move(batch))) box.loop->wake();
}

void MailRoom::run_on(broker::WorkerIndex worker, std::function<void(broker::Worker&)> task) {
  post(worker, worker, broker::task_batch(std::move(task)));
}

}  // namespace nightjar::net
