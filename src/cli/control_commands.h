// What can be asked of a running broker, as paths below /api/v1 with JSON answers. Used by the control
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/node.h"
#include "cli/control_http.h"
#include "cli/control_routes.h"
#include "cli/stats.h"
#include "net/mail_room.h"
#include "store/rocks_store.h"

namespace nightjar::cli {

class ControlCommands {
 public:
  // `store`: nullptr if the broker keeps nothing.
  using Certificates = std::function<CertificateStats()>;
  ControlCommands(broker::Node& node, net::MailRoom& mail, const store::RocksStore* store,
                  Certificates certificates);
  ControlCommands(const ControlCommands&) = delete;
  ControlCommands& operator=(const ControlCommands&) = delete;

  // Before the control thread runs.
  void add(ControlRoute route) { routes_.push_back(std::move(route)); }

  ControlResponse answer(const ControlRequest& request) { return answer_by(routes_, request); }

 private:
  ControlResponse list_routes();
  ControlResponse stats();
  ControlResponse list_clients(const ControlRequest& request);
  ControlResponse show_client(std::string_view client_id);
  ControlResponse kick(std::string_view client_id);
  ControlResponse move_shard(std::string_view shard, const ControlRequest& request);
  ControlResponse backup(const ControlRequest& request);

  broker::Node& node_;
  net::MailRoom& mail_;
  const store::RocksStore* const store_;
  const Certificates certificates_;
  ResidentMemory memory_;
  MonoTime started_;
  std::vector<ControlRoute> routes_;
};

}  // namespace nightjar::cli
