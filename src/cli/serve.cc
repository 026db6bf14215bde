#include "cli/serve.h"
#include "cli/ask_worker.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/anonymous_auth.h"
#include "auth/open_rules.h"
#include "base/log.h"
#include "broker/control.h"
#include "broker/node.h"
#include "cli/command_line.h"
#include "cli/control_commands.h"
#include "cli/control_server.h"
#include "cli/data_dir.h"
#include "cli/doctor.h"
#include "cli/kept_state.h"
#include "cli/listener_protocols.h"
#include "cli/log_sink.h"
#include "cli/serve_config.h"
#include "cli/signals.h"
#include "cli/spare_memory.h"
#include "cli/start_report.h"
#include "cli/stats.h"
#include "cli/system_entropy.h"
#include "config/load.h"
#include "config/reference.h"
#include "net/address.h"
#include "net/mail_room.h"
#include "net/system_clock.h"
#include "net/workers.h"
#include "store/memory_store.h"

namespace nightjar::cli {
namespace {

constexpr int kCannotStart = 1;
constexpr int kWrongConfiguration = 3;
constexpr std::string_view kUsualConfigFile = "nightjar.toml";

// Saying goodbye may take this long; with what follows it stays under the 10 seconds that service managers
// and people wait.
constexpr Duration kDrainTime = Duration::seconds(8);
// When the process is gone at the latest after it was asked to end.
constexpr unsigned kEndTimeS = 10;

// Every connection is an open file, so the broker takes as many as it may have.
std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

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

// The parts of a running broker, in the order they are made; they end in the opposite order.
class Broker {
 public:
  static Result<std::unique_ptr<Broker>> open(const config::Config& config, DataDir& data) {
    NJ_TRY(auto mail, net::MailRoom::open(worker_count(config)));
    std::unique_ptr<store::RocksStore> kept;
    if (config.node.durability != config::Durability::kMemory) {
      NJ_TRY(kept, open_store(data.path(), config.node.durability));
    }
    std::unique_ptr<Broker> broker{new Broker(config, std::move(mail), std::move(kept))};
    NJ_CHECK(broker->bring_back());
    NJ_TRY(broker->control_, ControlServer::start(data.control_socket(), [commands = broker->commands_.get()](
                                                                             std::string_view request) {
             return commands->answer(request);
           }));
    // Last: who can connect can also ask.
    NJ_CHECK(broker->listen());
    return broker;
  }

  // What the workers hand in last is written before what it refers to goes.
  ~Broker() {
    control_.reset();
    workers_.reset();
    kept_.reset();
  }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  void start() { workers_->start(); }

  // Every client is told; true if all of them were gone in time.
  bool drain() {
    workers_->begin_drain();
    return workers_->wait_until_quiet(kDrainTime);
  }

  // Frees what every worker holds for speed only. Returns when it has gone, or after some patience.
  void free_spare_memory() {
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

  [[nodiscard]] bool loses_on_restart() const { return kept_ == nullptr; }
  [[nodiscard]] const broker::Restored& restored() const { return restored_; }
  [[nodiscard]] std::uint16_t workers() const { return mail_->workers(); }
  [[nodiscard]] const std::vector<ListeningAt>& listening() const { return listening_; }

 private:
  Broker(const config::Config& config, std::unique_ptr<net::MailRoom> mail,
         std::unique_ptr<store::RocksStore> kept)
      : config_(config),
        mail_(std::move(mail)),
        kept_(std::move(kept)),
        node_(node_policy(config), {clock_, *mail_, store(), authenticator_, authorizer_, entropy_},
              mail_->workers()),
        workers_(std::make_unique<net::Workers>(node_, *mail_)),
        commands_(std::make_unique<ControlCommands>(node_, *mail_, kept_.get())) {}

  broker::Store& store() { return kept_ ? static_cast<broker::Store&>(*kept_) : nothing_kept_; }

  Result<void> bring_back() {
    if (!kept_) return {};
    std::vector<const broker::ListenerPolicy*> listeners;
    for (const config::ListenerConfig& listener : config_.listeners) listeners.push_back(&listener.policy);
    NJ_TRY(restored_, restore(*kept_, node_, workers_->unstarted(), listeners, boot_id()));
    kept_->start(*mail_, node_.retained_reader());
    return {};
  }

  // With the place to change it, in the file or on the command line.
  [[nodiscard]] std::string explain(const config::ListenerConfig& listener,
                                    const net::BindError& error) const {
    const std::string place =
        config::said_at(config_, listener.label, error.is_about_port ? "port" : "address");
    if (!place.empty()) return place + error.message;
    return error.message + (error.is_about_port ? " with -p" : "");
  }

  Result<void> listen_unix(const config::ListenerConfig& listener, net::FilterFactory filter) {
    auto bound = workers_->listen_unix(listener.unix_path, static_cast<mode_t>(listener.unix_mode),
                                       listener.policy, std::move(filter));
    if (!bound) return fail(config::said_at(config_, listener.label, "path") + bound.error().message);
    listening_.push_back({*bound, &listener.policy, describe_protocols(listener)});
    return {};
  }

  Result<void> listen() {
    for (const config::ListenerConfig& listener : config_.listeners) {
      const net::FilterFactory filter = net::make_filter_factory(protocols_of(listener));
      if (!listener.unix_path.empty()) {
        NJ_CHECK(listen_unix(listener, filter));
        continue;
      }
      NJ_TRY(const auto addresses, net::addresses_of(listener.address, listener.port));
      for (const net::Address& address : addresses) {
        auto bound = workers_->listen(address, listener.policy, filter);
        if (bound) {
          listening_.push_back({*bound, &listener.policy, describe_protocols(listener)});
        } else if (addresses.size() > 1 && address.family() == AF_INET6) {
          log::info(bound.error().message + "; going on without IPv6");
        } else {
          return fail(explain(listener, bound.error()));
        }
      }
    }
    return {};
  }

  const config::Config& config_;
  net::SystemClock clock_;
  store::MemoryStore nothing_kept_;
  auth::AnonymousAuth authenticator_;
  auth::OpenRules authorizer_;
  SystemEntropy entropy_;
  std::unique_ptr<net::MailRoom> mail_;
  std::unique_ptr<store::RocksStore> kept_;  // none with durability = "memory"
  broker::Restored restored_;
  broker::Node node_;
  std::unique_ptr<net::Workers> workers_;
  std::vector<ListeningAt> listening_;
  std::unique_ptr<ControlCommands> commands_;
  std::unique_ptr<ControlServer> control_;
};

// Reading a file that nobody named would surprise; leaving it out silently does too.
void mention_unread_file(const ServeOptions& options) {
  std::error_code ignored;
  if (options.config_file || !std::filesystem::exists(kUsualConfigFile, ignored)) return;
  log::warn(
      fmt::format("{0} in this directory is not read; \"nightjar serve -c {0}\" uses it", kUsualConfigFile));
}

// logrotate sends SIGHUP when it has moved the file away.
void on_hangup() {
  const Result<bool> reopened = reopen_log();
  if (!reopened)
    return log::warn(fmt::format("SIGHUP: {}; lines go to the old file", reopened.error().message));
  log::info(fmt::format("SIGHUP: {}the configuration is read at start only",
                        *reopened ? "the log file is opened anew; " : ""));
}

Duration cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const std::int64_t seconds = used.ru_utime.tv_sec + used.ru_stime.tv_sec;
  return {seconds * 1000 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000};
}

// What the main thread does while the workers serve.
std::string_view wait_for_end(Signals& signals, Broker& broker) {
  const ResidentMemory memory;
  SpareMemory spare;
  return signals.wait_for_end(
      {.on_hangup = on_hangup, .interval = SpareMemory::kInterval, .on_interval = [&memory, &spare, &broker] {
         const std::uint64_t before = memory.bytes();
         if (!spare.look(cpu_time(), before)) return;
         broker.free_spare_memory();
         give_memory_back();
         spare.trimmed(before, memory.bytes());
       }});
}

Result<void> serve(const config::Config& config, const ServeOptions& options) {
  NJ_TRY(Signals signals, Signals::catch_them());
  NJ_TRY(DataDir data, DataDir::open(config.node.data_dir));
  if (const auto installed = install_log(config.log); !installed) {
    return fail(config::said_at(config, "log", "destination") + installed.error().message);
  }
  mention_unread_file(options);
  keep_freed_memory();
  const std::uint64_t open_files = raise_file_limit();
  NJ_TRY(const auto broker, Broker::open(config, data));
  broker->start();
  warn_about_machine(config);
  report_start({.version = config.policy.version,
                .workers = broker->workers(),
                .open_files_max = open_files,
                .data_dir = data.path(),
                .loses_on_restart = broker->loses_on_restart(),
                .durability = config.node.durability,
                .restored = broker->restored(),
                .listening = broker->listening()});
  const std::string_view signal = wait_for_end(signals, *broker);
  signals.release();
  Signals::end_process_after(kEndTimeS);
  log::info(fmt::format("{}: saying goodbye to the clients", signal));
  const bool all_gone = broker->drain();
  log::info(all_gone ? "stopped" : "stopped; some connections were cut because their clients did not read");
  return {};
}

int complain(std::string_view text, int status) {
  fmt::print(stderr, "nightjar: {}\n", text);
  return status;
}

}  // namespace

int run_serve(int argc, char** argv) {
  const auto options = parse_serve(argc, argv);
  if (!options) return options.error();
  if (options->prints_reference) {
    fmt::print("{}", config::reference());
    return 0;
  }
  const auto config = serve_config(*options);
  if (!config) {
    for (const std::string& problem : config.error()) complain(problem, 0);
    return kWrongConfiguration;
  }
  const auto ended = serve(*config, *options);
  return ended ? 0 : complain(ended.error().message, kCannotStart);
}

}  // namespace nightjar::cli
