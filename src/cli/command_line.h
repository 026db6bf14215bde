// The options of `nightjar serve`, `ctl`, `doctor`, `store` and `passwd`. Help and errors are printed here;
// any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "auth/password_hash.h"
#include "base/result.h"

namespace nightjar::cli {

struct ServeOptions {
  std::optional<std::string> config_file;
  std::optional<std::uint16_t> port;
  std::optional<std::string> data_dir;
  std::optional<std::uint16_t> workers;
  std::optional<std::string> placement;  // as the configuration file names it
  bool is_verbose = false;               // everything is logged
  bool is_daemon = false;                // in the background
  bool is_without_bridges = false;       // of a mosquitto.conf
  bool prints_reference = false;
  std::string explained_key;            // print what it is, and end
  std::optional<std::string> language;  // of what is explained: "en" or "zh"
};

struct CtlOptions {
  std::string command;
  std::string match;        // clients: only those whose id contains it
  std::uint64_t limit = 0;  // clients: no more than these; 0: as many as the broker gives at once
  std::string client_id;    // kick
  std::int64_t shard = 0;   // shard-move
  std::int64_t worker = 0;
  bool is_plan = false;      // reload: only say what it would do
  bool with_origin = false;  // config
  std::string data_dir = "./data";
  bool is_json = false;
};

struct DoctorOptions {
  ServeOptions serve;             // as the broker would be started
  std::uint64_t connections = 0;  // 0: as many as are usual
  std::optional<std::int64_t> process_id;
  bool is_json = false;
};

struct StoreOptions {
  std::string command;  // verify, repair, dump, stats, backup
  std::string data_dir = "./data";
  std::string target;  // backup: the directory to make
  // dump: only what is of them
  std::optional<std::string> client_id;
  std::optional<std::string> topic_filter;
  bool has_payloads = false;
  bool is_json = false;
};

struct PasswdOptions {
  std::string file;
  std::string user;      // empty with hashes_all
  std::string password;  // with is_batch
  bool creates = false;  // also if there is one
  bool deletes = false;
  bool is_batch = false;    // the password is an argument
  bool hashes_all = false;  // those of the file that are plain text
  auth::HashKind hash = auth::HashKind::kArgon2id;
  std::uint32_t rounds = 0;  // of kPbkdf2Sha512; 0: as many as are advised
};

struct ImportOptions {
  std::vector<std::string> files;  // mosquitto.conf, mosquitto.db, dynamic-security.json
  std::string output;
  std::string data_dir;  // empty: what the configuration says
  bool is_without_bridges = false;
};

// argv[0] is the subcommand's name. The error is the exit status of a process that is done: 0 after help.
Result<ServeOptions, int> parse_serve(int argc, const char* const* argv);
Result<ServeOptions, int> parse_check(int argc, const char* const* argv);
Result<CtlOptions, int> parse_ctl(int argc, const char* const* argv);
Result<DoctorOptions, int> parse_doctor(int argc, const char* const* argv);
Result<ImportOptions, int> parse_import(int argc, const char* const* argv);
Result<StoreOptions, int> parse_store(int argc, const char* const* argv);
Result<PasswdOptions, int> parse_passwd(int argc, const char* const* argv);

}  // namespace nightjar::cli
