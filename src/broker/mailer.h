// What one worker has to tell the others this turn, gathered per receiver and handed over once at its end.
// Lives on one worker.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "broker/connection.h"
#include "broker/ids.h"
#include "broker/mail.h"
#include "broker/ports.h"
#include "broker/shard_move.h"

namespace nightjar::broker {

class Mailer {
 public:
  Mailer(Peers& peers, WorkerIndex self, std::uint16_t workers)
      : peers_(peers), self_(self), outgoing_(workers) {}

  // Mail to oneself is taken by take_own() in the same turn.
  void post(WorkerIndex to, Mail mail) { batch(to).mail.push_back(std::move(mail)); }
  // A message for `filters` of another worker.
  void deliver(WorkerIndex to, DeliverMail mail, std::span<const FilterId> filters) {
    MailBatch& target = batch(to);
    mail.first_filter = static_cast<std::uint32_t>(target.filters.size());
    mail.filter_count = static_cast<std::uint32_t>(filters.size());
    target.filters.insert(target.filters.end(), filters.begin(), filters.end());
    target.mail.emplace_back(std::move(mail));
  }
  // nullptr if there is none.
  std::unique_ptr<MailBatch> take_own() { return std::move(outgoing_[self_.value]); }
  [[nodiscard]] bool has_own() const { return outgoing_[self_.value] != nullptr; }
  // Hands everything over.
  void flush() {
    for (std::uint16_t to = 0; to < outgoing_.size(); ++to) {
      if (outgoing_[to] && to != self_.value) peers_.post(self_, {to}, std::move(outgoing_[to]));
    }
  }

 private:
  MailBatch& batch(WorkerIndex to) {
    auto& slot = outgoing_[to.value];
    if (!slot) {
      slot = std::make_unique<MailBatch>();
      slot->from = self_;
    }
    return *slot;
  }

  Peers& peers_;
  WorkerIndex self_;
  std::vector<std::unique_ptr<MailBatch>> outgoing_;
};

}  // namespace nightjar::broker
