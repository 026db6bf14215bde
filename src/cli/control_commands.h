// What the control socket understands: a JSON object {"command": NAME, ...} in, {"ok": true, ...} or
// {"ok": false, "error": TEXT} out. Used by the control thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/node.h"
#include "cli/stats.h"
#include "net/mail_room.h"

namespace nightjar::cli {

class ControlCommands {
 public:
  ControlCommands(broker::Node& node, net::MailRoom& mail);

  std::string answer(std::string_view request);

 private:
  std::string stats();
  std::string kick(std::string_view client_id);
  std::string move_shard(std::int64_t shard, std::int64_t worker);

  broker::Node& node_;
  net::MailRoom& mail_;
  ResidentMemory memory_;
  MonoTime started_;
};

}  // namespace nightjar::cli
