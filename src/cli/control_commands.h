// What the control socket understands: a JSON object {"command": NAME, ...} in, {"ok": true, ...} or
// {"ok": false, "error": TEXT} out. Used by the control thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/node.h"
#include "cli/stats.h"
#include "net/mail_room.h"
#include "store/rocks_store.h"

namespace nightjar::cli {

class ControlCommands {
 public:
  // `store`: nullptr if the broker keeps nothing.
  ControlCommands(broker::Node& node, net::MailRoom& mail, const store::RocksStore* store);

  std::string answer(std::string_view request);

 private:
  std::string stats();
  std::string kick(std::string_view client_id);
  std::string move_shard(std::int64_t shard, std::int64_t worker);
  std::string backup(std::string_view directory);

  broker::Node& node_;
  net::MailRoom& mail_;
  const store::RocksStore* const store_;
  ResidentMemory memory_;
  MonoTime started_;
};

}  // namespace nightjar::cli
