#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "broker/ids.h"
#include "cli/option_error.h"
#include "mqtt/topic.h"

namespace nightjar::cli {
namespace {

constexpr int kUsageError = 1;
// As for a wrong file, and as Mosquitto ends.
constexpr int kWrongConfiguration = 3;
// More than one address of a machine has in ports and addresses of clients that anybody has tried.
constexpr int kConnectionsMax = 100'000'000;

constexpr const char* kServeExamples =
    "\nExamples:\n"
    "  nightjar serve                                 serve this machine only, on port 1883, to anybody on "
    "it\n"
    "  nightjar serve -p 1884 --data /tmp/second      a second broker beside it\n"
    "  nightjar serve -c nightjar.toml                listeners, limits and log as the file says\n"
    "  nightjar -c mosquitto.conf -d                  as Mosquitto would, in the background\n"
    "  nightjar serve --explain max_packet_size       what one key of the file is\n"
    "  nightjar serve --print-config-reference        every key of the file, with defaults\n"
    "  nightjar serve --explain max_age --language zh in Chinese\n\n"
    "SIGTERM and SIGINT end it in good order within 10 seconds; a second one ends it at once.\n"
    "Exit status: 0 ended in good order, 1 could not start, 3 the configuration or an option is wrong.\n\n";

constexpr const char* kCheckExamples =
    "\nExamples:\n"
    "  nightjar check -c nightjar.toml                before a start or \"nightjar ctl reload\"\n"
    "  nightjar check -c /etc/mosquitto/mosquitto.conf\n\n"
    "Exit status: 0 fine, 1 warnings (a port that is held, a certificate that ends soon, a listener that "
    "lets\nnobody in), 3 the configuration is wrong.\n\n";

constexpr const char* kCtlExamples =
    "\nExamples:\n"
    "  nightjar ctl stats                             counters, loss ledger, sessions, memory\n"
    "  nightjar ctl stats --data /var/lib/nightjar    of the broker on that data directory\n"
    "  nightjar ctl stats --json | jq .total.ledger   for programs\n"
    "  nightjar ctl clients --match pump              who is connected or has a session here\n"
    "  nightjar ctl kick pump-17                      end the connection of a client\n"
    "  nightjar ctl reload --plan                     what the changed file would do\n"
    "  nightjar ctl reload                            take it up (SIGHUP does the same)\n"
    "  nightjar ctl config show --origin              every key, and where its value comes from\n"
    "  nightjar ctl shard-move 5 0                    serve shard 5 on worker 0 from now on\n\n"
    "The same over HTTP, for the user of the broker and root:\n"
    "  curl --unix-socket data/nightjar.sock http://nightjar/api/v1\n\n";

constexpr const char* kDoctorExamples =
    "\nExamples:\n"
    "  nightjar doctor                                the broker as it starts without a configuration\n"
    "  nightjar doctor -c nightjar.toml               as the file says\n"
    "  nightjar doctor --connections 200000           with that many clients\n"
    "  nightjar doctor --pid $(pidof nightjar)        under the limits of the broker that runs\n"
    "  nightjar doctor --json | jq .findings          for programs\n\n"
    "It reads /proc and /sys and changes nothing. A warning stands against the configuration, a hint costs "
    "time "
    "or memory.\n"
    "Exit status: 0 no warning, 1 warnings, 2 wrong options, 3 the configuration is wrong.\n\n";

constexpr const char* kStoreExamples =
    "\nExamples:\n"
    "  nightjar store verify                          what is damaged, and whose it is\n"
    "  nightjar store repair                          save the rest; the damaged store is kept aside\n"
    "  nightjar store stats --data /var/lib/nightjar  how much is in it, and who has the largest queues\n"
    "  nightjar store dump --client pump-17           all that is kept for one client\n"
    "  nightjar store dump --topic 'a/#' --json | jq  messages by topic, for programs\n"
    "  nightjar store backup /backup/monday           also while the broker runs\n"
    "  nightjar serve --data /backup/monday           a backup is a data directory\n\n"
    "All but backup want the broker stopped. Nothing but repair changes anything.\n"
    "Exit status: 0 done and nothing wrong, 1 something is damaged or lost, 2 it could not be done.\n\n";

constexpr const char* kImportExamples =
    "\nExamples:\n"
    "  nightjar import /etc/mosquitto/mosquitto.conf -o nightjar.toml\n"
    "  nightjar import mosquitto.conf /var/lib/mosquitto/mosquitto.db -o nightjar.toml --data "
    "/var/lib/nightjar\n\n"
    "Stop Mosquitto first: it writes its mosquitto.db when it ends.\n"
    "Exit status: 0 done, 1 it could not be done, 3 the mosquitto.conf is wrong.\n\n";

constexpr const char* kPasswdExamples =
    "\nExamples:\n"
    "  nightjar passwd -c passwords ann               make the file with one user; asks for the password\n"
    "  nightjar passwd passwords bob                  add a user, or give him another password\n"
    "  nightjar passwd -b passwords bob s3cret        the password as an argument: other users of this "
    "machine "
    "may see it\n"
    "  echo s3cret | nightjar passwd passwords bob    from a script\n"
    "  nightjar passwd -D passwords bob               take a user out\n"
    "  nightjar passwd -H sha512-pbkdf2 passwords bob so that Mosquitto 2.0 reads it, too\n"
    "  nightjar passwd -U passwords                   hash the passwords of a file of \"user:password\" "
    "lines\n\n"
    "A broker that runs takes the file up with \"nightjar ctl reload\" or SIGHUP; who was taken out or got "
    "another\npassword is disconnected then.\n"
    "Exit status: 0 done, 1 it could not be done; then the file is as it was.\n\n";

// CLI11 reports by exception; here that becomes a value, and help or the error is printed.
template <typename Options>
Result<Options, int> parse(CLI::App& app, int argc, const char* const* argv, const Options& options) {
  try {
    app.parse(argc, argv);
    return options;
  } catch (const CLI::Success& help) {
    return tl::make_unexpected(app.exit(help));
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}\n", app.get_name(), option_error(app, error));
    return tl::make_unexpected(kUsageError);
  }
}

}  // namespace

Result<ServeOptions, int> parse_serve(int argc, const char* const* argv) {
  ServeOptions options;
  CLI::App app{"Runs the broker.", "nightjar serve"};
  app.footer(kServeExamples);
  app.add_option("-c,--config", options.config_file, "Configuration file: nightjar.toml, or a mosquitto.conf")
      ->type_name("FILE");
  app.add_option("-p,--port", options.port, "TCP port; overrides the file if that has at most one listener")
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535));
  app.add_option("--data", options.data_dir, "Data directory (default ./data)")->type_name("DIR");
  app.add_option("--workers", options.workers, "Threads that serve clients (default: one per core)")
      ->type_name("N")
      ->check(CLI::Range(1, int{broker::kWorkersMax}));
  app.add_option("--placement", options.placement,
                 "adaptive: one worker serves until it is busy (default); spread: all from the start")
      ->type_name("HOW")
      ->check(CLI::IsMember({"adaptive", "spread"}));
  app.add_flag("-v,--verbose", options.is_verbose, "Log everything, each message too");
  app.add_flag("-d,--daemon", options.is_daemon, "Serve in the background");
  app.add_flag("--without-bridges", options.is_without_bridges,
               "Start although a mosquitto.conf has bridges (connection), without them");
  app.add_flag("--print-config-reference", options.prints_reference,
               "Print the reference of the file and end");
  app.add_option("--explain", options.explained_key, "Print what a key of the file is, and end")
      ->type_name("KEY");
  app.add_option("--language", options.language, "Of these two: en or zh (default: that of the terminal)")
      ->type_name("LANGUAGE")
      ->check(CLI::IsMember({"en", "zh"}));
  auto parsed = parse(app, argc, argv, options);
  // What the broker shall do can be wrong here as well as in the file.
  if (!parsed && parsed.error() != 0) return tl::make_unexpected(kWrongConfiguration);
  return parsed;
}

Result<ServeOptions, int> parse_check(int argc, const char* const* argv) {
  ServeOptions options;
  CLI::App app{"Says what a start would find wrong, and who may enter where; starts nothing.",
               "nightjar check"};
  app.footer(kCheckExamples);
  app.add_option("-c,--config", options.config_file, "Configuration file: nightjar.toml, or a mosquitto.conf")
      ->type_name("FILE");
  app.add_option("-p,--port", options.port, "As for serve")->type_name("PORT")->check(CLI::Range(1, 65535));
  app.add_option("--data", options.data_dir, "Data directory (default ./data)")->type_name("DIR");
  app.add_flag("--without-bridges", options.is_without_bridges, "As for serve");
  return parse(app, argc, argv, options);
}

Result<CtlOptions, int> parse_ctl(int argc, const char* const* argv) {
  CtlOptions options;
  CLI::App app{"Looks into a running broker and steers it.", "nightjar ctl"};
  app.footer(kCtlExamples);
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--data", options.data_dir, "Data directory of the broker (default ./data)")
      ->type_name("DIR");
  app.add_flag("--json", options.is_json, "Print the broker's answer as one JSON object");
  app.add_subcommand("stats", "Counters of all workers, the loss ledger, sessions and memory");
  CLI::App* clients = app.add_subcommand("clients", "Clients and sessions, with what waits for them");
  clients->add_option("--match", options.match, "Only those whose id contains this text")->type_name("TEXT");
  clients->add_option("--limit", options.limit, "No more than these (default 1000)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_subcommand("kick", "End the connection of a client (a 5.0 client is told 0x98)")
      ->add_option("client", options.client_id, "Client id")
      ->required();
  app.add_subcommand("reload", "Take up the configuration file anew, all of it or nothing")
      ->add_flag("--plan", options.is_plan,
                 "Only say what would change, what waits for a restart, who is "
                 "disconnected");
  CLI::App* config = app.add_subcommand("config", "The configuration of the broker that runs");
  config->require_subcommand(1);
  config->add_subcommand("show", "Every key with its value")
      ->add_flag("--origin", options.with_origin, "Also where the value comes from");
  CLI::App* move = app.add_subcommand("shard-move", "Give a shard, with its clients, to another worker");
  move->add_option("shard", options.shard, "Shard, counted from 0")
      ->required()
      ->check(CLI::NonNegativeNumber);
  move->add_option("worker", options.worker, "Worker, counted from 0")
      ->required()
      ->check(CLI::NonNegativeNumber);
  app.parse_complete_callback([&] { options.command = app.get_subcommands().front()->get_name(); });
  return parse(app, argc, argv, options);
}

Result<DoctorOptions, int> parse_doctor(int argc, const char* const* argv) {
  DoctorOptions options;
  CLI::App app{"Checks what on this machine limits a broker, and tells how to change it.", "nightjar doctor"};
  app.footer(kDoctorExamples);
  app.add_option("-c,--config", options.serve.config_file, "Configuration file (nightjar.toml)")
      ->type_name("FILE");
  app.add_option("--workers", options.serve.workers, "Threads that serve clients (default: one per core)")
      ->type_name("N")
      ->check(CLI::Range(1, int{broker::kWorkersMax}));
  app.add_option("--connections", options.connections, "Clients that are to be connected (default 10000)")
      ->type_name("N")
      ->check(CLI::Range(1, kConnectionsMax));
  app.add_option("--pid", options.process_id, "Process whose limits count (default: those of this shell)")
      ->type_name("PID")
      ->check(CLI::PositiveNumber);
  app.add_flag("--json", options.is_json, "Print the findings as one JSON object");
  return parse(app, argc, argv, options);
}

Result<StoreOptions, int> parse_store(int argc, const char* const* argv) {
  StoreOptions options;
  CLI::App app{"Looks after what a broker keeps: checks, saves, shows and copies it.", "nightjar store"};
  app.footer(kStoreExamples);
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--data", options.data_dir, "Data directory of the broker (default ./data)")
      ->type_name("DIR");
  app.add_flag("--json", options.is_json, "Print one JSON object; dump: one for each row");
  app.add_subcommand("verify", "Read everything, and say what is damaged and what is lost by it");
  app.add_subcommand("repair",
                     "Make a new store of what can be read; the damaged one becomes store.damaged-N");
  CLI::App* dump = app.add_subcommand("dump", "Print sessions, subscriptions, messages, wills and groups");
  dump->add_option("--client", options.client_id, "Only what is kept for this client")->type_name("ID");
  dump->add_option("--topic", options.topic_filter, "Only messages whose topic matches")
      ->type_name("FILTER")
      ->check([](const std::string& filter) -> std::string {
        return mqtt::is_valid_topic_filter(filter) ? "" : "\"" + filter + "\" is no topic filter";
      });
  dump->add_flag("--payload", options.has_payloads, "Print payloads, too");
  app.add_subcommand("stats", "Counts, sizes and the largest queues");
  app.add_subcommand("backup", "Copy the store to a data directory that a broker can start from")
      ->add_option("directory", options.target, "Directory to make; it may be there if it is empty")
      ->type_name("DIR")
      ->required();
  app.parse_complete_callback([&] { options.command = app.get_subcommands().front()->get_name(); });
  return parse(app, argc, argv, options);
}

Result<ImportOptions, int> parse_import(int argc, const char* const* argv) {
  ImportOptions options;
  CLI::App app{"Writes Nightjar's configuration, and its data, out of Mosquitto's.", "nightjar import"};
  app.footer(kImportExamples);
  app.add_option("files", options.files, "mosquitto.conf [mosquitto.db] [dynamic-security.json]")
      ->type_name("FILE")
      ->required()
      ->expected(1, 3);
  app.add_option("-o,--output", options.output, "Configuration file to write; it must not be there")
      ->type_name("FILE")
      ->required();
  app.add_option("--data", options.data_dir, "Data directory to make; it may be there if it is empty")
      ->type_name("DIR");
  app.add_flag("--without-bridges", options.is_without_bridges, "Leave bridges out");
  return parse(app, argc, argv, options);
}

Result<PasswdOptions, int> parse_passwd(int argc, const char* const* argv) {
  using auth::HashKind;
  static const std::map<std::string, HashKind> kHashes{{"argon2id", HashKind::kArgon2id},
                                                       {"sha512-pbkdf2", HashKind::kPbkdf2Sha512},
                                                       {"pbkdf2-sha512", HashKind::kPbkdf2Sha512},
                                                       {"sha512", HashKind::kSha512},
                                                       {"bcrypt", HashKind::kBcrypt}};
  PasswdOptions options;
  CLI::App app{"Makes and changes password files, as mosquitto_passwd does.", "nightjar passwd"};
  app.footer(kPasswdExamples);
  app.add_option("file", options.file, "Password file")->type_name("FILE")->required();
  app.add_option("user", options.user, "User name")->type_name("USER");
  app.add_option("password", options.password, "Password, with --batch only")->type_name("PASSWORD");
  CLI::Option* create =
      app.add_flag("-c,--create", options.creates, "Make a new file; one that is there is lost");
  CLI::Option* remove = app.add_flag("-D,--delete", options.deletes, "Take the user out");
  CLI::Option* batch =
      app.add_flag("-b,--batch", options.is_batch, "The password is the last argument, nothing is asked");
  CLI::Option* all =
      app.add_flag("-U,--upgrade", options.hashes_all, "Hash all plain text passwords of the file");
  std::string hash = "argon2id";
  app.add_option("-H,--hash", hash, "argon2id (default), sha512-pbkdf2, bcrypt or sha512")
      ->type_name("HASH")
      ->check(CLI::IsMember({"argon2id", "sha512-pbkdf2", "pbkdf2-sha512", "bcrypt", "sha512"}));
  app.parse_complete_callback([&] { options.hash = kHashes.at(hash); });
  app.add_option("-I,--iterations", options.rounds, "Rounds of sha512-pbkdf2 (default 210000)")
      ->type_name("N")
      ->check(CLI::Range(1, 20'000'000));
  create->excludes(remove)->excludes(all);
  remove->excludes(batch)->excludes(all);
  batch->excludes(all);
  auto parsed = parse(app, argc, argv, options);
  if (!parsed) return parsed;
  std::string_view wrong;
  if (options.hashes_all != options.user.empty())
    wrong = options.hashes_all ? "-U takes the file only" : "the user is missing";
  if (!options.is_batch && !options.password.empty()) wrong = "a password as an argument wants -b before it";
  if (options.is_batch && app.count("password") == 0) wrong = "-b wants the password behind the user";
  if (wrong.empty()) return parsed;
  fmt::print(stderr, "nightjar passwd: {}\n\"nightjar passwd --help\" has examples.\n", wrong);
  return tl::make_unexpected(kUsageError);
}

}  // namespace nightjar::cli
