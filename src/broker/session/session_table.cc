#include "broker/session/session_table.h"

namespace nightjar::broker {

SessionTable::SessionTable(std::uint16_t shards, std::uint64_t key)
    : shards_(shards, Shard{0, Hash{key}, Equal{}}) {}

SessionTable::~SessionTable() { clear(); }

Session* SessionTable::find(ShardId shard, std::string_view client_id) const {
  const Shard& sessions = shards_[shard.value];
  const auto found = sessions.find(client_id);
  return found == sessions.end() ? nullptr : *found;
}

void SessionTable::insert(std::unique_ptr<Session> session) {
  Shard& sessions = shards_[session->shard.value];
  sessions.insert(session.get());
  static_cast<void>(session.release());
}

std::unique_ptr<Session> SessionTable::take(Session& session) {
  shards_[session.shard.value].erase(&session);
  return std::unique_ptr<Session>(&session);
}

std::vector<std::unique_ptr<Session>> SessionTable::take_shard(ShardId shard) {
  std::vector<std::unique_ptr<Session>> taken;
  taken.reserve(size(shard));
  for_each(shard, [&taken](Session& session) { taken.emplace_back(&session); });
  shards_[shard.value].clear();
  return taken;
}

void SessionTable::clear() {
  for (std::uint16_t shard = 0; shard < shards_.size(); ++shard) static_cast<void>(take_shard({shard}));
}

}  // namespace nightjar::broker
