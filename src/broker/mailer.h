// What one worker has to tell the others this turn, gathered per receiver and handed over once at its end.
// Lives on one worker.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "broker/connection.h"
#include "broker/durable/commit.h"
#include "broker/ids.h"
#include "broker/mail.h"
#include "broker/ports.h"
#include "broker/shard_move.h"

namespace nightjar::broker {

class Mailer {
 public:
  Mailer(Peers& peers, WorkerIndex self, std::uint16_t workers)
      : peers_(peers), self_(self), outgoing_(workers) {}

  // Mail to oneself is taken by take_own() in the same turn. What the mail makes the receiver store belongs
  // to `commit`, if there is one; the batch takes it along.
  void post(WorkerIndex to, Mail mail, const std::shared_ptr<Commit>& commit = nullptr) {
    batch(to, commit).mail.push_back(std::move(mail));
  }
  // A message for `filters` of another worker.
  void deliver(WorkerIndex to, DeliverMail mail, std::span<const FilterId> filters,
               const std::shared_ptr<Commit>& commit = nullptr) {
    MailBatch& target = batch(to, commit);
    mail.first_filter = static_cast<std::uint32_t>(target.filters.size());
    mail.filter_count = static_cast<std::uint32_t>(filters.size());
    target.filters.insert(target.filters.end(), filters.begin(), filters.end());
    target.mail.emplace_back(std::move(mail));
  }
  // The same for a message of little size, not retained, that nobody waits for.
  void deliver_small(WorkerIndex to, const Message::Parts& parts, RouteVersion version,
                     std::span<const FilterId> filters, const std::shared_ptr<Commit>& commit = nullptr);
  // A message of little size that a group assigns to a member, and that goes on being the group's.
  void assign_small(WorkerIndex to, const MemberName& member, const Message::Parts& parts,
                    std::uint64_t sequence);
  // A member is done with a message of its group.
  void settle(WorkerIndex to, const MemberName& member, std::uint64_t sequence);
  // A batch that was received: its memory serves the next one.
  void recycle(std::unique_ptr<MailBatch> emptied);
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
  // Kept of those that were received; one per other worker is plenty, and large ones served a peak.
  static constexpr std::size_t kSparesMax = 4;
  static constexpr std::size_t kSpareBytesMax = 512 * 1024;

  MailBatch& batch(WorkerIndex to, const std::shared_ptr<Commit>& commit);

  std::unique_ptr<MailBatch> empty_batch();

  Peers& peers_;
  WorkerIndex self_;
  std::vector<std::unique_ptr<MailBatch>> outgoing_;
  std::vector<std::unique_ptr<MailBatch>> spares_;
};

}  // namespace nightjar::broker
