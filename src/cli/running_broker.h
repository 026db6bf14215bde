// The parts of a running broker, made and ended in the right order, and taken from one configuration to the
// next while it serves. Used by the main thread; what says "any thread" by the control thread as well.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "auth/access.h"
#include "auth/file_auth.h"
#include "auth/file_rules.h"
#include "auth/login_desk.h"
#include "base/result.h"
#include "broker/durable/restore.h"
#include "broker/node.h"
#include "cli/control_commands.h"
#include "cli/control_server.h"
#include "cli/data_dir.h"
#include "cli/departures.h"
#include "cli/listeners.h"
#include "cli/log_sink.h"
#include "cli/reload.h"
#include "cli/system_entropy.h"
#include "cli/tls_listeners.h"
#include "cli/tls_peers.h"
#include "config/config.h"
#include "net/mail_room.h"
#include "net/system_clock.h"
#include "net/workers.h"
#include "store/memory_store.h"
#include "store/rocks_store.h"

namespace nightjar::cli {

class RunningBroker final : private ReloadTarget {
 public:
  // `load` says what the configuration is now.
  static Result<std::unique_ptr<RunningBroker>> open(const config::Config& config, const DataDir& data,
                                                     Reload::Load load);
  // What the workers hand in last is written before what it refers to goes.
  ~RunningBroker() override;
  RunningBroker(const RunningBroker&) = delete;
  RunningBroker& operator=(const RunningBroker&) = delete;

  void start() { workers_->start(); }
  [[nodiscard]] net::MailRoom& mail() { return *mail_; }
  // Every client is told; true if all of them were gone in time.
  bool drain();
  // Frees what every worker holds for speed only. Returns when it has gone, or after some patience.
  void free_spare_memory();

  // To be called every kTlsLook while there is TLS: files that changed, certificates that end, clients whose
  // certificate is revoked.
  static constexpr Duration kTlsLook{250};
  void look_after_tls();
  [[nodiscard]] bool has_tls();

  // Any thread. What reload() would do now, and doing it; see Reload. The log says what came of it.
  Result<Reload::Plan, config::Problems> plan_reload();
  Result<Reload::Plan, config::Problems> reload();
  // Any thread.
  std::vector<config::Setting> settings();

  [[nodiscard]] bool loses_on_restart() const { return kept_ == nullptr; }
  [[nodiscard]] const broker::Restored& restored() const { return restored_; }
  [[nodiscard]] std::uint16_t workers() const { return mail_->workers(); }
  // Good until the next reload.
  [[nodiscard]] const auth::Access& access() const { return access_.now(); }
  [[nodiscard]] std::vector<ListeningAt> listening() const { return listeners_->listening(); }

 private:
  class Ready;

  // What of a configuration is made ready before anything changes.
  struct Parts {
    Listeners::Next listeners;
    std::shared_ptr<const auth::Access> access;
    std::unique_ptr<TlsListeners> tls;
    std::shared_ptr<LogOutlet> log;  // null: it stays as it is
  };

  RunningBroker(const config::Config& config, Reload::Load load, std::unique_ptr<net::MailRoom> mail,
                std::unique_ptr<store::RocksStore> kept, std::shared_ptr<const auth::Access> access);

  broker::Store& store();
  Result<void> bring_back(const std::vector<const broker::ListenerPolicy*>& policies);
  Result<std::unique_ptr<Prepared>> prepare(const config::Config& config) override;
  Result<void> check_health() override;
  void take_up(const broker::NodePolicy& policy, std::shared_ptr<const auth::Access> access);
  Departures::Counts send_away(const std::shared_ptr<const Departures>& departures);
  void forget_former_access();
  [[nodiscard]] net::StrangerBudget stranger_budget(const config::Config& config);
  CertificateStats certificates();

  net::SystemClock clock_;
  store::MemoryStore nothing_kept_;
  SystemEntropy entropy_;
  std::unique_ptr<net::MailRoom> mail_;
  auth::AccessInForce access_;
  std::vector<std::shared_ptr<const auth::Access>> former_access_;  // some worker may still look at it
  auth::LoginDesk login_desk_;
  auth::FileAuth authenticator_;
  auth::FileRules authorizer_;
  std::unique_ptr<store::RocksStore> kept_;  // none with durability = "memory"
  broker::Restored restored_;
  net::StrangerBytes stranger_bytes_;
  broker::Node node_;
  std::unique_ptr<net::Workers> workers_;
  std::unique_ptr<Listeners> listeners_;
  std::mutex reload_mutex_;
  std::unique_ptr<TlsListeners> tls_;  // under reload_mutex_
  TlsPeers tls_peers_;
  Reload reload_;  // under reload_mutex_
  bool is_draining_ = false;
  std::unique_ptr<ControlCommands> commands_;
  std::unique_ptr<ControlServer> control_;
};

}  // namespace nightjar::cli
