// Prints the rows of a store, one line each, as name=value or as JSON. Pure.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/durable/changes.h"
#include "broker/durable/queue_view.h"
#include "broker/durable/records.h"

namespace nightjar::cli {

struct DumpWishes {
  std::optional<std::string> client_id;
  std::optional<std::string> topic_filter;
  bool has_payloads = false;
  bool is_json = false;
};

class StoreDump {
 public:
  using Print = std::function<void(std::string_view lines)>;
  StoreDump(DumpWishes wishes, Print print);

  // All rows of kMeta, then of kSessions, kQueues, kRetained, each in the order of the keys.
  void row(broker::Table table, std::string_view key, std::string_view value);

 private:
  struct Owner {
    bool is_group = false;
    std::string name;
    broker::QueueView view;
  };

  bool meta_row(std::string_view key, std::string_view value);
  bool session_row(std::string_view key, std::string_view value);
  bool client_row(const broker::SessionKey& key, std::string_view value);
  bool group_row(const broker::SessionKey& key, std::string_view value);
  bool queue_row(std::string_view key, std::string_view value);
  bool retained_row(std::string_view topic, std::string_view value);
  void print_session(const broker::SessionKey& key, const broker::SessionRecord& record);
  void print_packet_ids(std::string_view client_id, const broker::PacketIdsRecord& record);
  void print_entry(const broker::QueueKey& key, const Owner* owner, const broker::QueueEntry& entry);
  [[nodiscard]] bool wants_client(std::string_view client_id) const;
  [[nodiscard]] bool wants_topic(std::string_view topic) const;
  [[nodiscard]] bool is_filtered() const { return wishes_.client_id || wishes_.topic_filter; }

  const DumpWishes wishes_;
  const Print print_;
  const broker::StoreClock clock_{};   // the store's own
  broker::QueueId present_queue_ = 0;  // of the client whose rows come
  broker::GroupRecord present_group_;
  boost::unordered_flat_map<broker::QueueId, Owner> owners_;
};

}  // namespace nightjar::cli
