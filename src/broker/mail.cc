#include "broker/mail.h"

#include <utility>

#include "broker/connection.h"
#include "broker/durable/commit.h"
#include "broker/shard_move.h"

namespace nightjar::broker {

// Here because they destroy connections and shard states, which the header only names.
MailBatch::MailBatch() = default;
MailBatch::~MailBatch() = default;

void MailBatch::clear() {
  filters.clear();
  mail.clear();
  small.clear();
  bytes.clear();
  commit.reset();
  next = nullptr;
}

std::size_t MailBatch::memory_bytes() const {
  return filters.capacity() * sizeof(FilterId) + mail.capacity() * sizeof(Mail) +
         small.capacity() * sizeof(SmallDelivery) + bytes.capacity();
}

std::unique_ptr<MailBatch> committed_batch() {
  auto batch = std::make_unique<MailBatch>();
  batch->mail.emplace_back(CommittedMail{});
  return batch;
}

std::unique_ptr<MailBatch> task_batch(std::function<void(Worker&)> run) {
  auto batch = std::make_unique<MailBatch>();
  batch->mail.emplace_back(TaskMail{std::move(run)});
  return batch;
}

}  // namespace nightjar::broker
