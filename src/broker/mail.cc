#include "broker/mail.h"

#include <algorithm>
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
  members.clear();
  assigned.clear();
  settled.clear();
  bytes.clear();
  commit.reset();
  next = nullptr;
}

std::size_t MailBatch::memory_bytes() const {
  return filters.capacity() * sizeof(FilterId) + mail.capacity() * sizeof(Mail) +
         small.capacity() * sizeof(SmallDelivery) + members.capacity() * sizeof(GroupMember) +
         assigned.capacity() * sizeof(SmallAssignment) + settled.capacity() * sizeof(SettledMessage) +
         bytes.capacity();
}

SmallMessage MailBatch::add(const Message::Parts& parts) {
  const SmallMessage added{.bytes_at = static_cast<std::uint32_t>(bytes.size()),
                           .payload_bytes = static_cast<std::uint32_t>(parts.payload.size()),
                           .properties_bytes = static_cast<std::uint32_t>(parts.properties.size()),
                           .topic_bytes = static_cast<std::uint16_t>(parts.topic.size()),
                           .qos = parts.qos,
                           .retain = parts.retain,
                           .expires = parts.expires,
                           .origin = parts.origin};
  bytes.append(parts.topic);
  bytes.append(parts.properties);
  bytes.append(parts.payload);
  return added;
}

Message::Parts MailBatch::parts_of(const SmallMessage& message) const {
  const ByteView own = bytes.view().subspan(message.bytes_at);
  return {.topic = as_text(own.first(message.topic_bytes)),
          .payload =
              own.subspan(std::size_t{message.topic_bytes} + message.properties_bytes, message.payload_bytes),
          .properties = own.subspan(message.topic_bytes, message.properties_bytes),
          .qos = message.qos,
          .retain = message.retain,
          .expires = message.expires,
          .origin = message.origin};
}

std::uint32_t MailBatch::place_of(const MemberName& member) {
  // Members of a group mostly take turns. Of more than this, each has its own entry for each of its turns.
  constexpr std::size_t kLookedAtMax = 16;
  const std::size_t oldest = members.size() - std::min(members.size(), kLookedAtMax);
  for (std::size_t at = members.size(); at-- > oldest;) {
    if (members[at].is(member)) return static_cast<std::uint32_t>(at);
  }
  members.push_back({member.group, member.client_id, member.member, member.shard, member.membership});
  return static_cast<std::uint32_t>(members.size() - 1);
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
