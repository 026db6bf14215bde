#include "cli/import.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command_line.h"
#include "cli/import_access.h"
#include "cli/import_state.h"
#include "cli/kept_state.h"
#include "cli/option_checks.h"
#include "config/difference.h"
#include "config/load.h"
#include "config/mosquitto/load.h"
#include "config/write.h"
#include "net/fd.h"
#include "net/system_clock.h"

namespace nightjar::cli {
namespace {

constexpr int kCannot = 1;
constexpr int kWrongConfiguration = 3;

// What `nightjar import` was given, by what each file is.
struct Sources {
  std::string conf;
  std::string db;        // empty: none
  std::string security;  // empty: none
};

Sources sources_of(const ImportOptions& options) {
  Sources sources{.conf = options.files.front(), .db = {}, .security = {}};
  for (std::size_t i = 1; i < options.files.size(); ++i) {
    (options.files[i].ends_with(".json") ? sources.security : sources.db) = options.files[i];
  }
  return sources;
}

struct Written {
  std::string text;
  std::vector<std::string> differing;  // lines of the report
};

// Which has none.
bool is_port_of_unix_socket(const config::Config& config, std::string_view key) {
  return std::any_of(config.listeners.begin(), config.listeners.end(), [key](const auto& listener) {
    return !listener.unix_path.empty() && key == config::key_of(listener, "port");
  });
}

Result<Written, config::Problems> native_form(const config::Config& config, const ImportOptions& options) {
  const std::string header = fmt::format(
      "Nightjar's configuration, written by \"nightjar import {}\".\n"
      "Keys with Nightjar's own defaults are left out; \"nightjar serve --explain KEY\" tells about each.",
      options.files.front());
  Written written{.text = config::write_toml(config, header), .differing = config.errors};
  written.differing.insert(written.differing.end(), config.warnings.begin(), config.warnings.end());
  for (std::string& line : config::unsayable(config)) written.differing.push_back(std::move(line));
  NJ_TRY(const config::Config back, config::load_text(written.text, options.output));
  for (const config::Change& change : config::differences(config, back)) {
    if (is_port_of_unix_socket(config, change.key)) continue;
    written.differing.push_back(
        fmt::format("{}: {} becomes {}", change.key, change.from, change.to.empty() ? "nothing" : change.to));
  }
  return written;
}

// A file that is there already may be somebody's work.
Result<void> write_new_file(const NewFile& wanted) {
  const std::string& path = wanted.path;
  std::string_view text = wanted.text;
  const net::Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, wanted.mode)};
  if (!file) {
    return fail(errno == EEXIST
                    ? fmt::format("{} is there already: give another file with -o, or take it away", path)
                    : fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0) {
      const int reason = errno;
      ::unlink(path.c_str());
      return fail(fmt::format("cannot write {}: {}", path, std::strerror(reason)));
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

void take_away(const std::vector<NewFile>& files) {
  for (const NewFile& file : files) ::unlink(file.path.c_str());
}

// All of them, or none.
Result<void> write_new_files(const std::vector<NewFile>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (auto written = write_new_file(files[i]); !written) {
      take_away({files.begin(), files.begin() + static_cast<std::ptrdiff_t>(i)});
      return written;
    }
  }
  return {};
}

Result<ImportedState> bring_state(const Sources& sources, const config::Config& config) {
  const auto bytes = read_file(sources.db);
  if (!bytes) return fail(bytes.error().message);
  NJ_TRY(const auto read, config::mosquitto::read_persistence(*bytes, sources.db));
  const net::SystemClock clock;
  ImportTarget target{.shards = config.policy.shards,
                      .listeners = {},
                      .boot = boot_id(),
                      .now = clock.now(),
                      .wall_ms = clock.wall_ms()};
  for (const config::ListenerConfig& listener : config.listeners)
    target.listeners.emplace(listener.port, listener.policy.name);
  broker::Changes changes;
  const ImportedState state = import_state(read, target, changes);
  NJ_CHECK(write_data_dir(config.node.data_dir, changes));
  return state;
}

void row(std::string_view what, std::uint64_t count) { fmt::print("  {:<34}{}\n", what, count); }

void print_state(const ImportedState& state, const std::string& data_dir) {
  fmt::print("\nBrought to {}:\n", data_dir);
  row("retained messages", state.retained);
  row("sessions", state.sessions);
  row("subscriptions", state.subscriptions);
  row("messages that wait", state.waiting);
  row("messages in flight", state.in_flight);
  row("QoS 2 messages to complete", state.released);
  fmt::print("\nLeft behind:\n");
  row("messages that have expired", state.expired_messages);
  row("sessions that have expired", state.expired_sessions);
  row("what the standard does not allow", state.unusable);
}

void print_differing(const std::vector<std::string>& lines) {
  fmt::print("\nWhat differs from Mosquitto, or was left out:\n");
  for (const std::string& line : lines) fmt::print("  {}\n", line);
  if (lines.empty()) fmt::print("  nothing\n");
}

int stopped(std::string_view message, int status) {
  fmt::print(stderr, "nightjar import: {}\n", message);
  return status;
}

int wrong(const config::Problems& problems) {
  for (const std::string& each : problems) fmt::print(stderr, "nightjar import: {}\n", each);
  return kWrongConfiguration;
}

}  // namespace

int run_import(int argc, char** argv) {
  const auto options = parse_import(argc, argv);
  if (!options) return options.error();
  const Sources sources = sources_of(*options);
  auto config = config::mosquitto::load_file(
      sources.conf, {.port = {}, .is_verbose = false, .is_without_bridges = options->is_without_bridges});
  if (!config) return wrong(config.error());
  if (!options->data_dir.empty()) config->node.data_dir = options->data_dir;
  auto access = import_access(*config, sources.security, options->output);
  if (!access) return stopped(access.error().message, kCannot);
  auto written = native_form(*config, *options);
  if (!written) return wrong(written.error());
  if (!sources.db.empty() && config->node.data_dir.empty())
    return stopped("the mosquitto.conf keeps nothing: say with --data where the state goes", kCannot);
  std::vector<NewFile> files = std::move(access->files);
  files.push_back({options->output, std::move(written->text)});
  if (auto made = write_new_files(files); !made) return stopped(made.error().message, kCannot);
  std::optional<ImportedState> state;
  if (!sources.db.empty()) {
    auto brought = bring_state(sources, *config);
    if (!brought) {
      take_away(files);
      return stopped(brought.error().message, kCannot);
    }
    state = *brought;
  }
  for (const NewFile& file : files) fmt::print("Wrote {}\n", file.path);
  if (state) print_state(*state, config->node.data_dir);
  for (std::string& line : access->differing) written->differing.push_back(std::move(line));
  print_differing(written->differing);
  return 0;
}

}  // namespace nightjar::cli
