#include "broker/mail.h"

#include <utility>

#include "broker/connection.h"
#include "broker/shard_move.h"

namespace nightjar::broker {

// Here because they destroy connections and shard states, which the header only names.
MailBatch::MailBatch() = default;
MailBatch::~MailBatch() = default;

std::unique_ptr<MailBatch> task_batch(std::function<void(Worker&)> run) {
  auto batch = std::make_unique<MailBatch>();
  batch->mail.emplace_back(TaskMail{std::move(run)});
  return batch;
}

}  // namespace nightjar::broker
