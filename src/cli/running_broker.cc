#include "cli/running_broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/control.h"
#include "cli/access_settings.h"
#include "cli/ask_worker.h"
#include "cli/control_config.h"
#include "cli/kept_state.h"
#include "cli/listener_health.h"
#include "cli/serve_config.h"

namespace nightjar::cli {
namespace {

// Saying goodbye may take this long; with what follows it stays under the 10 seconds that service managers
// and people wait.
constexpr Duration kDrainTime = Duration::seconds(8);

// The policy of the node, with what it has to know about its listeners.
broker::NodePolicy node_policy(const config::Config& config) {
  const auto refuses = [](const broker::QueueLimits& queue) {
    return queue.overflow == broker::OverflowPolicy::kReject;
  };
  broker::NodePolicy policy = config.policy;
  policy.refuses_when_full =
      refuses(policy.shared_queue) ||
      std::any_of(config.listeners.begin(), config.listeners.end(),
                  [&](const auto& listener) { return refuses(listener.policy.queue); });
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

class RunningBroker::Ready final : public ReloadTarget::Prepared {
 public:
  Ready(RunningBroker& broker, const config::Config& config, Parts parts)
      : broker_(broker), config_(config), parts_(std::move(parts)) {}
  void commit() override { broker_.commit(config_, std::move(parts_)); }

 private:
  RunningBroker& broker_;
  const config::Config config_;
  Parts parts_;
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
  NJ_TRY(Listeners::Next listeners, broker->listeners_->prepare(config, policies, *broker->tls_));
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
  NJ_TRY(parts.tls, TlsListeners::open(config, stranger_budget(config)));
  NJ_TRY(parts.listeners, listeners_->prepare(config, listeners_->adopt(config), *parts.tls));
  return std::make_unique<Ready>(*this, config, std::move(parts));
}

void RunningBroker::commit(const config::Config& config, Parts parts) {
  tls_ = std::move(parts.tls);
  node_.change_policy(node_policy(config));
  take_up(std::move(parts.access));
  listeners_->serve(std::move(parts.listeners));
  ask_worker(*mail_, broker::WorkerIndex{0}, [](broker::Worker& worker) {
    broker::restart_sys_topics(worker);
    return true;
  });
  log::set_level(config.log.level);
}

// Every worker decides by the new files from its next turn on, and ends whom they do not know any more.
void RunningBroker::take_up(std::shared_ptr<const auth::Access> access) {
  for (const std::string& file : access->summary()) log::info("read: " + file);
  const auto before = access_.replace(access);
  former_access_.push_back(before);
  std::vector<Asked<std::size_t>> asked;
  for (std::uint16_t i = 0; i < workers(); ++i) {
    asked.push_back(ask_worker(*mail_, broker::WorkerIndex{i}, [before, access](broker::Worker& worker) {
      return broker::disconnect_unauthorized(worker, [&](const broker::ClientIdentity& who) {
        return auth::lost_access(*before, *access, who);
      });
    }));
  }
  std::size_t gone = 0;
  bool have_all_answered = true;
  for (auto& answer : asked) {
    const auto count = answer.wait();
    gone += count.value_or(0);
    have_all_answered = have_all_answered && count.has_value();
  }
  if (gone != 0)
    log::info(fmt::format("disconnected: {} clients whose users are gone or have another password", gone));
  if (have_all_answered) former_access_.clear();
}

Result<void> RunningBroker::check_health() {
  for (std::uint16_t i = 0; i < workers(); ++i) {
    auto asked = ask_worker(*mail_, broker::WorkerIndex{i}, [](broker::Worker&) { return true; });
    if (!asked.wait()) return fail(fmt::format("worker {} does not answer", i));
  }
  for (const ListeningAt& at : listeners_->listening()) NJ_CHECK(check_accepts(at.address));
  return {};
}

std::size_t RunningBroker::clients_of(const config::ListenerConfig& listener) {
  return listeners_->clients_of(config::name_of(listener));
}

}  // namespace nightjar::cli
