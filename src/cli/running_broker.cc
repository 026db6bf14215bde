#include "cli/running_broker.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "broker/control.h"
#include "cli/access_settings.h"
#include "cli/ask_worker.h"
#include "cli/control_config.h"
#include "cli/kept_state.h"
#include "cli/listener_health.h"
#include "cli/log_sink.h"
#include "cli/serve_config.h"

namespace nightjar::cli {
namespace {

// Saying goodbye may take this long; with what follows it stays under the 10 seconds that service managers
// and people wait.
constexpr Duration kDrainTime = Duration::seconds(8);

// The policy of the node, with what it has to know about its listeners.
broker::NodePolicy node_policy(const config::Config& config) {
  broker::NodePolicy policy = config.policy;
  policy.refuses_when_full = config::refuses_when_full(config);
  return policy;
}

void report(const Result<Reload::Plan, config::Problems>& done) {
  if (!done) {
    for (const std::string& problem : done.error()) log::error("reload: nothing was changed: " + problem);
    return;
  }
  const Reload::Plan& plan = *done;
  for (const config::Change& change : plan.changes) {
    const bool waits = change.effect == config::Effect::kRestart;
    const std::string line =
        fmt::format("{} was {} and is {} {}", change.key, change.from.empty() ? "not there" : change.from,
                    change.to.empty() ? "gone" : change.to, waits ? "after a restart" : "now");
    waits ? log::warn(line) : log::info(line);
  }
  for (const std::string& gone : plan.disconnects) log::info("disconnected: " + gone);
  if (plan.changes.empty()) log::info("reload: the configuration is as it was");
}

}  // namespace

// A configuration on its way, with what it takes to go back.
class RunningBroker::Ready final : public ReloadTarget::Prepared {
 public:
  Ready(RunningBroker& broker, const config::Config& config, Parts parts)
      : broker_(broker),
        policy_(node_policy(config)),
        before_(broker.access_.owner()),
        now_(parts.access),
        departures_(std::make_shared<Departures>(before_, now_, broker.listeners_->fates(parts.listeners))),
        parts_(std::move(parts)) {}

  [[nodiscard]] std::vector<config::Change> file_changes() const override {
    std::vector<config::Change> changes;
    for (const auth::AccessFileChange& change : auth::file_changes(*before_, *now_))
      changes.push_back({change.path, change.from, change.to, config::Effect::kAtOnce});
    return changes;
  }

  [[nodiscard]] std::vector<std::string> departures() override {
    return describe(count_departures(*broker_.mail_, departures_));
  }

  void commit() override {
    policy_before_ = broker_.node_.policy();
    broker_.take_up(policy_, parts_.access);
    std::swap(broker_.tls_, parts_.tls);
    broker_.listeners_->serve(std::move(parts_.listeners));
  }

  std::vector<std::string> finish() override {
    // Nothing can be wrong with it any more, and its file gets no line of a configuration that was taken
    // back.
    if (parts_.log) exchange_log(std::move(parts_.log));
    for (const std::string& file : now_->summary()) log::info("read: " + file);
    broker_.listeners_->close_others();
    const auto gone = broker_.send_away(departures_);
    broker_.listeners_->finish();
    return describe(gone);
  }

  void roll_back() override {
    broker_.listeners_->roll_back();
    std::swap(broker_.tls_, parts_.tls);
    broker_.take_up(policy_before_, before_);
    broker_.forget_former_access();
  }

 private:
  RunningBroker& broker_;
  const broker::NodePolicy policy_;
  broker::NodePolicy policy_before_;
  const std::shared_ptr<const auth::Access> before_;
  const std::shared_ptr<const auth::Access> now_;
  const std::shared_ptr<const Departures> departures_;
  Parts parts_;  // after commit(), those of before
};

Result<std::unique_ptr<RunningBroker>> RunningBroker::open(const config::Config& config, const DataDir& data,
                                                           Reload::Load load) {
  NJ_TRY(auto access, auth::Access::load(access_settings(config)));
  NJ_TRY(auto mail, net::MailRoom::open(worker_count(config)));
  std::unique_ptr<store::RocksStore> kept;
  if (config.node.durability != config::Durability::kMemory) {
    NJ_TRY(kept, open_store(data.path(), config.node.durability));
  }
  std::unique_ptr<RunningBroker> broker{
      new RunningBroker(config, std::move(load), std::move(mail), std::move(kept), std::move(access))};
  const auto policies = broker->listeners_->adopt(config);
  NJ_CHECK(broker->bring_back(policies));
  NJ_TRY(broker->tls_, TlsListeners::open(config, broker->stranger_budget(config)));
  add_config_routes(*broker->commands_, *broker);
  NJ_TRY(broker->control_, ControlServer::start(data.control_socket(), [commands = broker->commands_.get()](
                                                                           const ControlRequest& request) {
           return commands->answer(request);
         }));
  // Last: who can connect can also ask.
  NJ_TRY(Listeners::Next listeners, broker->listeners_->prepare(config, *broker->tls_));
  broker->listeners_->serve(std::move(listeners));
  return broker;
}

RunningBroker::RunningBroker(const config::Config& config, Reload::Load load,
                             std::unique_ptr<net::MailRoom> mail, std::unique_ptr<store::RocksStore> kept,
                             std::shared_ptr<const auth::Access> access)
    : mail_(std::move(mail)),
      access_(std::move(access)),
      login_desk_(
          clock_,
          [this](broker::WorkerIndex worker, std::function<void()> task) {
            mail_->run_on(worker, [task = std::move(task)](broker::Worker&) { task(); });
          },
          auth::VerifierPool::usual_threads()),
      authenticator_(access_, login_desk_),
      authorizer_(access_, clock_),
      kept_(std::move(kept)),
      node_(node_policy(config), {clock_, *mail_, store(), authenticator_, authorizer_, entropy_},
            mail_->workers()),
      workers_(std::make_unique<net::Workers>(node_, *mail_)),
      listeners_(std::make_unique<Listeners>(*workers_, *mail_)),
      tls_peers_(*mail_),
      reload_(config, std::move(load), *this),
      commands_(
          std::make_unique<ControlCommands>(node_, *mail_, kept_.get(), [this] { return certificates(); })) {}

RunningBroker::~RunningBroker() {
  control_.reset();
  workers_.reset();
  login_desk_.stop();
  kept_.reset();
}

broker::Store& RunningBroker::store() { return kept_ ? static_cast<broker::Store&>(*kept_) : nothing_kept_; }

Result<void> RunningBroker::bring_back(const std::vector<const broker::ListenerPolicy*>& policies) {
  if (!kept_) return {};
  NJ_TRY(restored_, restore(*kept_, node_, workers_->unstarted(), policies, boot_id()));
  kept_->start(*mail_, node_.retained_reader());
  return {};
}

bool RunningBroker::drain() {
  {
    const std::lock_guard lock(reload_mutex_);
    is_draining_ = true;
  }
  workers_->begin_drain();
  return workers_->wait_until_quiet(kDrainTime);
}

void RunningBroker::free_spare_memory() {
  std::vector<Asked<bool>> asked;
  for (std::uint16_t i = 0; i < workers(); ++i) {
    asked.push_back(ask_worker(*mail_, broker::WorkerIndex{i}, [](broker::Worker& worker) {
      broker::free_spare_memory(worker);
      return true;
    }));
  }
  for (auto& answer : asked) {
    if (!answer.wait()) return;  // it has other troubles
  }
}

// ---- TLS ----

// Handshakes leave a part of it to connections without TLS.
net::StrangerBudget RunningBroker::stranger_budget(const config::Config& config) {
  // What is left is for CONNECT packets.
  const auto bytes_max = static_cast<std::int64_t>(config.policy.strangers_bytes_max / 4 * 3);
  return {.held = &stranger_bytes_,
          .total = &node_.stranger_bytes(),
          .hello_bytes_max = bytes_max / 4,
          .handshake_bytes_max = bytes_max / 4 * 3};
}

bool RunningBroker::has_tls() {
  const std::lock_guard lock(reload_mutex_);
  return !tls_->empty();
}

void RunningBroker::look_after_tls() {
  TlsListeners::Snapshots snapshots;
  {
    const std::lock_guard lock(reload_mutex_);
    tls_->look_at_files();
    tls_->warn_about_expiry(clock_.wall_ms() / 1000);
    snapshots = tls_->snapshots();
  }
  tls_peers_.look(std::move(snapshots), clock_);
}

CertificateStats RunningBroker::certificates() {
  const std::lock_guard lock(reload_mutex_);
  return {.served = tls_->certificates(clock_.wall_ms() / 1000), .clients = tls_peers_.clients()};
}

// ---- reload ----

Result<Reload::Plan, config::Problems> RunningBroker::plan_reload() {
  const std::lock_guard lock(reload_mutex_);
  return reload_.plan();
}

Result<Reload::Plan, config::Problems> RunningBroker::reload() {
  const std::lock_guard lock(reload_mutex_);
  if (is_draining_) return tl::make_unexpected(config::Problems{"the broker is shutting down"});
  auto done = reload_.apply();
  report(done);
  return done;
}

std::vector<config::Setting> RunningBroker::settings() {
  const std::lock_guard lock(reload_mutex_);
  return config::settings(reload_.current());
}

Result<std::unique_ptr<ReloadTarget::Prepared>> RunningBroker::prepare(const config::Config& config) {
  Parts parts;
  NJ_TRY(parts.access, auth::Access::load(access_settings(config)));
  NJ_TRY(parts.tls, TlsListeners::open(config, stranger_budget(config), tls_.get()));
  if (config.log != reload_.current().log) {
    auto log = open_log(config.log);
    if (!log) return fail(config::said_at(config, "log", "destination") + log.error().message);
    parts.log = std::move(*log);
  }
  // Last: as long as nothing else is wrong nobody sees an address come and go.
  NJ_TRY(parts.listeners, listeners_->prepare(config, *parts.tls));
  return std::make_unique<Ready>(*this, config, std::move(parts));
}

// Every worker decides by the new files from its next turn on.
void RunningBroker::take_up(const broker::NodePolicy& policy, std::shared_ptr<const auth::Access> access) {
  const bool has_other_interval = policy.sys_interval != node_.policy().sys_interval;
  node_.change_policy(policy);
  former_access_.push_back(access_.replace(std::move(access)));
  if (!has_other_interval) return;
  ask_worker(*mail_, broker::WorkerIndex{0}, [](broker::Worker& worker) {
    broker::restart_sys_topics(worker);
    return true;
  });
}

// A client may be on its way from one worker to another while these are asked, so they are asked twice.
// Whoever logs in meanwhile is judged by the new files and has a higher ordinal.
Departures::Counts RunningBroker::send_away(const std::shared_ptr<const Departures>& departures) {
  forget_former_access();
  const std::uint64_t newest = node_.next_ordinal();
  Departures::Counts gone = cli::send_away(*mail_, departures, newest);
  (void)on_each_worker(*mail_, [](broker::Worker&) {});
  for (const auto& [what, count] : cli::send_away(*mail_, departures, newest)) gone[what] += count;
  return gone;
}

// A worker that has begun another turn looks at it no more.
void RunningBroker::forget_former_access() {
  if (on_each_worker(*mail_, [](broker::Worker&) {})) former_access_.clear();
}

Result<void> RunningBroker::check_health() {
  for (std::uint16_t i = 0; i < workers(); ++i) {
    auto asked = ask_worker(*mail_, broker::WorkerIndex{i}, [](broker::Worker&) { return true; });
    if (!asked.wait()) return fail(fmt::format("worker {} does not answer", i));
  }
  for (const ListeningAt& at : listeners_->listening()) NJ_CHECK(check_accepts(at.address));
  return {};
}

}  // namespace nightjar::cli
