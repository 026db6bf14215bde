// The `nightjar` program: finds the subcommand and hands over to it.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <string_view>

#include "broker/policy.h"
#include "cli/bench/bench.h"
#include "cli/check.h"
#include "cli/ctl.h"
#include "cli/doctor.h"
#include "cli/import.h"
#include "cli/passwd.h"
#include "cli/pub.h"
#include "cli/serve.h"
#include "cli/store.h"
#include "cli/sub.h"
#include "cli/tls_command.h"
#include "config/suggest.h"

namespace {

using nightjar::cli::run_bench;
using nightjar::cli::run_check;
using nightjar::cli::run_ctl;
using nightjar::cli::run_doctor;
using nightjar::cli::run_import;
using nightjar::cli::run_passwd;
using nightjar::cli::run_pub;
using nightjar::cli::run_serve;
using nightjar::cli::run_store;
using nightjar::cli::run_sub;
using nightjar::cli::run_tls;

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(int argc, char** argv);
};

constexpr std::array kCommands{
    Command{"serve", "run the broker (also without any subcommand)", run_serve},
    Command{"pub", "publish messages", run_pub},
    Command{"sub", "subscribe and print messages", run_sub},
    Command{"bench", "measure this or any other MQTT broker", run_bench},
    Command{"ctl", "look into a running broker, kick clients", run_ctl},
    Command{"check", "say what is wrong with a configuration, and who may enter", run_check},
    Command{"passwd", "make and change password files", run_passwd},
    Command{"store", "check, repair, show and back up what a broker keeps", run_store},
    Command{"tls", "make certificates, and say what clients object to", run_tls},
    Command{"import", "take over Mosquitto's configuration, messages and sessions", run_import},
    Command{"doctor", "check what on this machine limits a broker", run_doctor},
};

constexpr std::string_view kExamples = R"(
Examples:
  nightjar                              serve this machine only, on port 1883
  nightjar serve -c nightjar.toml       serve as the file says
  nightjar check -c nightjar.toml       what a start would find wrong with it
  nightjar sub -t 'home/#' -v           print everything below home
  nightjar pub -t home/door -m open     publish one message
  nightjar bench p2p                    how fast messages go through a broker
  nightjar ctl stats                    counters, loss ledger, sessions, memory
  nightjar passwd -c passwords ann      a password file with one user
  nightjar store backup /backup/today   copy all that is kept, while the broker runs
  nightjar doctor --connections 100000  what stands against that many clients here

"nightjar COMMAND --help" describes each command.
)";

void print_help() {
  fmt::print(
      "nightjar {}: an MQTT broker for 3.1, 3.1.1 and 5.0\n\nUsage: nightjar [COMMAND] "
      "[OPTIONS]\n\nCommands:\n",
      nightjar::broker::NodePolicy{}.version);
  for (const Command& command : kCommands) fmt::print("  {:<8}{}\n", command.name, command.summary);
  fmt::print("{}", kExamples);
}

int unknown(std::string_view typed) {
  std::array<std::string_view, kCommands.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kCommands[i].name;
  const auto near = nightjar::config::suggest(typed, names);
  fmt::print(stderr, "nightjar: unknown command \"{}\"{}\n\"nightjar --help\" lists the commands.\n", typed,
             near ? fmt::format("; did you mean \"{}\"?", *near) : "");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  for (const Command& command : kCommands) {
    if (command.name == first) return command.run(argc - 1, argv + 1);
  }
  if (first == "--help" || first == "-h" || first == "help") {
    print_help();
    return 0;
  }
  if (first == "--version") {
    fmt::print("nightjar {}\n", nightjar::broker::NodePolicy{}.version);
    return 0;
  }
  // `nightjar -p 1884` is `nightjar serve -p 1884`.
  if (first.empty() || first.starts_with('-')) return run_serve(argc, argv);
  return unknown(first);
}
