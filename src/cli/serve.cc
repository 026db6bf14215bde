#include "cli/serve.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "cli/command_line.h"
#include "cli/data_dir.h"
#include "cli/doctor.h"
#include "cli/log_sink.h"
#include "cli/log_topic.h"
#include "cli/process.h"
#include "cli/running_broker.h"
#include "cli/serve_config.h"
#include "cli/signals.h"
#include "cli/spare_memory.h"
#include "cli/start_report.h"
#include "config/load.h"
#include "config/reference.h"

namespace nightjar::cli {
namespace {

constexpr int kCannotStart = 1;
constexpr int kWrongConfiguration = 3;
constexpr std::string_view kUsualConfigFile = "nightjar.toml";

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

// Reading a file that nobody named would surprise; leaving it out silently does too.
void mention_unread_file(const ServeOptions& options) {
  std::error_code ignored;
  if (options.config_file || !std::filesystem::exists(kUsualConfigFile, ignored)) return;
  log::warn(
      fmt::format("{0} in this directory is not read; \"nightjar serve -c {0}\" uses it", kUsualConfigFile));
}

// Also what logrotate sends when it has moved the log file away.
void on_hangup(RunningBroker& broker) {
  const Result<bool> reopened = reopen_log();
  if (!reopened) log::warn(fmt::format("SIGHUP: {}; lines go to the old file", reopened.error().message));
  if (reopened && *reopened) log::info("SIGHUP: the log file is opened anew");
  (void)broker.reload();  // it says what came of it
}

Duration cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const std::int64_t seconds = used.ru_utime.tv_sec + used.ru_stime.tv_sec;
  return {seconds * 1000 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000};
}

// What the main thread does while the workers serve.
std::string_view wait_for_end(Signals& signals, RunningBroker& broker) {
  const net::SystemClock clock;
  const ResidentMemory memory;
  SpareMemory spare;
  MonoTime spare_due = clock.now() + SpareMemory::kInterval;
  const auto look_at_memory = [&] {
    if (clock.now() < spare_due) return;
    spare_due = clock.now() + SpareMemory::kInterval;
    const std::uint64_t before = memory.bytes();
    if (!spare.look(cpu_time(), before)) return;
    broker.free_spare_memory();
    give_memory_back();
    spare.trimmed(before, memory.bytes());
  };
  return signals.wait_for_end({
      .on_hangup = [&broker] { on_hangup(broker); },
      .interval = [&broker] { return broker.has_tls() ? RunningBroker::kTlsLook : SpareMemory::kInterval; },
      .on_interval =
          [&] {
            broker.look_after_tls();
            look_at_memory();
          },
  });
}

Result<void> change_user(const config::Config& config, const DataDir& data) {
  const std::string& user = config.process.user;
  if (!changes_user(user)) {
    if (config.is_mosquitto && user.empty() && ::geteuid() == 0) {
      log::warn("runs as root; \"user mosquitto\" in the file lets it become that user");
    }
    return {};
  }
  const std::string& log = config.log.destination;
  const bool is_file = log.find('/') != std::string::npos;
  return become(user, {.data_dir = data.path().string(), .log_file = is_file ? log : ""});
}

// An error about a key of [node], with the place where the file has it; the whole table is no place.
template <typename Value>
Result<Value> at_key(const config::Config& config, const std::string& key, Result<Value> result) {
  if (result || !config.places.contains("node." + key)) return result;
  return fail(config::said_at(config, "node", key) + result.error().message);
}

Result<void> serve(const config::Config& config, const ServeOptions& options) {
  std::optional<Daemon> daemon;
  if (options.is_daemon) {
    NJ_TRY(daemon, Daemon::detach());
  }
  NJ_TRY(Signals signals, Signals::catch_them());
  NJ_TRY(const PidFile pid_file, at_key(config, "pid_file", PidFile::write(config.process.pid_file)));
  NJ_TRY(DataDir data,
         at_key(config, "data",
                config.node.data_dir.empty() ? DataDir::temporary() : DataDir::open(config.node.data_dir)));
  if (const auto installed = install_log(config.log); !installed) {
    return fail(config::said_at(config, "log", "destination") + installed.error().message);
  }
  mention_unread_file(options);
  for (const std::string& error : config.errors) log::error(error);
  for (const std::string& warning : config.warnings) log::warn(warning);
  keep_freed_memory();
  const std::uint64_t open_files = raise_file_limit();
  NJ_TRY(const auto broker, RunningBroker::open(config, data, [options] { return serve_config(options); }));
  NJ_CHECK(at_key(config, "user", change_user(config, data)));
  broker->start();
  const LogTopic log_topic(broker->mail());
  if (daemon) daemon->is_ready();
  warn_about_machine(config);
  report_start({.version = config.policy.version,
                .workers = broker->workers(),
                .open_files_max = open_files,
                .data_dir = data.path(),
                .loses_on_restart = broker->loses_on_restart(),
                .is_mosquitto = config.is_mosquitto,
                .durability = config.node.durability,
                .restored = broker->restored(),
                .listening = broker->listening(),
                .access = broker->access()});
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

// Of the option, else of the terminal.
config::Language language_of(const ServeOptions& options) {
  if (options.language) return config::language_of(*options.language);
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* const locale = std::getenv(name);
    if (locale != nullptr && *locale != '\0') return config::language_of(locale);
  }
  return config::Language::kEnglish;
}

int explain(const ServeOptions& options) {
  const auto explained = config::explain(options.explained_key, language_of(options));
  if (!explained) return complain(explained.error().message, kCannotStart);
  fmt::print("{}", *explained);
  return 0;
}

}  // namespace

int run_serve(int argc, char** argv) {
  const auto options = parse_serve(argc, argv);
  if (!options) return options.error();
  if (options->prints_reference) {
    fmt::print("{}", config::reference(language_of(*options)));
    return 0;
  }
  if (!options->explained_key.empty()) return explain(*options);
  Signals::hold_hangup();
  const auto config = serve_config(*options);
  if (!config) {
    for (const std::string& problem : config.error()) complain(problem, 0);
    return kWrongConfiguration;
  }
  const auto ended = serve(*config, *options);
  return ended ? 0 : complain(ended.error().message, kCannotStart);
}

}  // namespace nightjar::cli
