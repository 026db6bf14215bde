// The sessions of one worker, by shard and client id. A shard's sessions lie together, so that a move touches
// no others; an entry costs a pointer. Lives on one worker.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/keyed_hash.h"
#include "broker/ids.h"
#include "broker/session/session.h"

namespace nightjar::broker {

class SessionTable {
 public:
  // `key`: of the hash; clients choose their ids.
  SessionTable(std::uint16_t shards, std::uint64_t key);
  ~SessionTable();
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // nullptr if there is none.
  [[nodiscard]] Session* find(ShardId shard, std::string_view client_id) const;
  // None of the same client id is here.
  void insert(std::unique_ptr<Session> session);
  // Takes out one that is here.
  std::unique_ptr<Session> take(Session& session);
  std::vector<std::unique_ptr<Session>> take_shard(ShardId shard);
  void clear();

  // `visit(Session&)` must not insert or take.
  template <typename Visit>
  void for_each(ShardId shard, Visit visit) const {
    for (Session* session : shards_[shard.value]) visit(*session);
  }
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Shard& shard : shards_) {
      for (Session* session : shard) visit(*session);
    }
  }
  [[nodiscard]] std::size_t size(ShardId shard) const { return shards_[shard.value].size(); }

 private:
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::uint64_t key;
    std::uint64_t operator()(std::string_view client_id) const { return keyed_hash(client_id, key); }
    std::uint64_t operator()(const Session* session) const { return (*this)(session->client_id); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Session* a, const Session* b) const { return a == b; }
    bool operator()(std::string_view client_id, const Session* session) const {
      return session->client_id == client_id;
    }
    bool operator()(const Session* session, std::string_view client_id) const {
      return session->client_id == client_id;
    }
  };
  // Owns what it points to: an owning pointer could not be taken out of a set.
  using Shard = boost::unordered_flat_set<Session*, Hash, Equal>;

  std::vector<Shard> shards_;
};

}  // namespace nightjar::broker
