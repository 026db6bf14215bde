// The command lines of `nightjar bench` and its modes, parsed and checked. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "mqtt/types.h"
#include "net/tls_client_context.h"

namespace nightjar::cli::bench {

struct BenchOptions {
  std::string scenario;
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  mqtt::Version version = mqtt::Version::k311;
  std::string user_name;
  std::string password;
  std::uint16_t keep_alive_s = 0;
  std::string unix_path;  // not empty: a Unix socket, and neither host nor port
  bool uses_websocket = false;
  std::optional<net::TlsClientSettings> tls;  // its host is not filled in
  bool resumes = false;                       // conn: connect again, with sessions of TLS resumed

  int qos = -1;  // -1: as the scenario has it, like every count of 0 below
  std::size_t payload_bytes = 64;
  std::uint32_t publishers = 0;
  std::uint32_t subscribers = 0;
  std::uint64_t clients = 0;
  std::uint64_t filters = 0;
  std::uint64_t topics = 0;
  std::uint64_t messages = 0;
  double zipf = 0;  // exponent; 0: all topics alike
  bool subscribes = false;
  std::string shape = "p2p";
  std::string suite_case;
  double scale = 0;  // 0: as large as the file limit allows
  double goal_ms = 10;
  double goal_percentile = 99;
  std::string beside;
  double beside_rate = 0;

  double rate = -1;  // 0: a flood; negative: as the scenario has it
  std::uint32_t window = 0;
  std::uint32_t inflight = 0;
  bool keeps_sessions = false;
  double connect_rate = 0;
  std::uint32_t dialing = 100;
  double duration_s = 0;
  double warmup_s = 1;
  double ramp_s = 0;
  double hold_s = 5;
  unsigned threads = 1;

  std::vector<int> pids;
  std::string json_file;
  std::string html_file;
  bool is_quiet = false;
};

struct RelayOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
};

struct CompareOptions {
  std::vector<std::string> brokers;    // NAME=COMMAND
  std::vector<std::string> scenarios;  // each as after `nightjar bench`
  std::vector<std::string> with;       // NAME=OPTIONS, of every scenario with that broker
  unsigned rounds = 5;
  std::string json_file;
  std::string html_file;
};

// argv[0] is the word before the options. The error is the exit status of a process that is done: 0 after
// help.
Result<BenchOptions, int> parse_bench(int argc, const char* const* argv);
Result<RelayOptions, int> parse_relay(int argc, const char* const* argv);
Result<CompareOptions, int> parse_compare(int argc, const char* const* argv);

// "p2p -q 1 -s 64" as the options of one scenario.
Result<BenchOptions> parse_scenario(const std::string& line);

}  // namespace nightjar::cli::bench
