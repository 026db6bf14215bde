#include "cli/tls_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/option_error.h"
#include "cli/tls_explain.h"
#include "cli/tls_plant.h"

namespace nightjar::cli {
namespace {

constexpr int kFailed = 1;
constexpr std::int64_t kRenewDays = 60;

constexpr const char* kExamples =
    "\nExamples:\n"
    "  nightjar tls init pki --name plant.example --ip 10.0.0.5 --client pump7\n"
    "                                                 an authority, the broker's certificate, one client's\n"
    "  nightjar tls add pki --client pump8            a further client\n"
    "  nightjar tls renew pki                         new certificates for what ends within 60 days\n"
    "  nightjar tls revoke pki --client pump7         it is on crl.pem from now on\n"
    "  nightjar tls explain plant.example:8883 --cafile pki/ca.pem\n"
    "                                                 what clients will object to\n";

struct Options {
  std::string directory;
  std::vector<std::string> names;
  std::vector<std::string> addresses;
  std::vector<std::string> clients;
  bool is_rsa = false;
  std::int64_t days = kRenewDays;
  bool renews_all = false;
  ExplainOptions explain;
};

std::string full_path(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// What to write into nightjar.toml, and how a client gets in.
void print_next_steps(const TlsPlant& plant, const std::string& host) {
  const auto file = [&](const std::string& name) { return full_path(plant.path(name)); };
  const std::vector<std::string> clients = plant.clients();
  fmt::print(
      "\nFor nightjar.toml:\n\n"
      "[[listener]]\nname = \"secure\"\nport = 8883\n{}\n[listener.tls]\ncertificate = \"{}\"\nkey = "
      "\"{}\"\n",
      clients.empty() ? "allow_anonymous = true\n" : "", file("server.pem"), file("server.key"));
  if (!clients.empty()) {
    fmt::print(
        "client_certificate = \"required\"\nclient_ca = \"{}\"\ncrl = \"{}\"\nuser_from = \"common-name\"\n",
        file("ca.pem"), file("crl.pem"));
  }
  std::string own;
  if (!clients.empty()) {
    own = fmt::format(" --cert {} --key {}", file("client-" + clients.front() + ".pem"),
                      file("client-" + clients.front() + ".key"));
  }
  fmt::print(
      "\nClients need {} (it is no secret){}. To try it:\n\n  mosquitto_sub -h {} -p 8883 --cafile {}{} -t "
      "'#' -v\n\n",
      file("ca.pem"), clients.empty() ? "" : ", and each its own certificate and key", host, file("ca.pem"),
      own);
  fmt::print(
      "{} can make certificates that clients trust: keep it away from others, best off this machine.\n",
      file("ca.key"));
}

Result<int> init(const Options& options) {
  TlsPlant::Names names{.server = options.names,
                        .clients = options.clients,
                        .key_kind = options.is_rsa ? net::KeyKind::kRsa2048 : net::KeyKind::kEcP256};
  names.server.insert(names.server.end(), options.addresses.begin(), options.addresses.end());
  NJ_TRY(const TlsPlant plant, TlsPlant::make(options.directory, names));
  fmt::print("made in {}: an authority (10 years), the broker's certificate (397 days) for {}{}\n",
             full_path(options.directory), fmt::join(names.server, ", "),
             names.clients.empty()
                 ? ""
                 : fmt::format(", and those of {} (825 days)", fmt::join(names.clients, ", ")));
  print_next_steps(plant, names.server.front());
  return 0;
}

Result<int> add(const Options& options) {
  NJ_TRY(TlsPlant plant, TlsPlant::open(options.directory));
  for (const std::string& client : options.clients) {
    NJ_CHECK(plant.add_client(client));
    fmt::print("made {0} and its key, {1}\n", full_path(plant.path("client-" + client + ".pem")),
               full_path(plant.path("client-" + client + ".key")));
  }
  return 0;
}

Result<int> renew(const Options& options) {
  NJ_TRY(TlsPlant plant, TlsPlant::open(options.directory));
  constexpr std::int64_t kAlways = 100'000;
  NJ_TRY(const auto renewed, plant.renew(options.renews_all ? kAlways : options.days));
  for (const std::string& file : renewed) fmt::print("renewed {}\n", file);
  if (renewed.empty()) fmt::print("nothing ends within {} days\n", options.days);
  return 0;
}

Result<int> revoke(const Options& options) {
  NJ_TRY(TlsPlant plant, TlsPlant::open(options.directory));
  for (const std::string& client : options.clients) {
    NJ_CHECK(plant.revoke(client));
    fmt::print("revoked {}; a broker with crl = \"{}\" disconnects it within a minute\n", client,
               full_path(plant.path("crl.pem")));
  }
  return 0;
}

void add_directory(CLI::App* command, Options& options) {
  command->add_option("directory", options.directory, "Directory of the authority")
      ->type_name("DIR")
      ->required();
}

void add_clients(CLI::App* command, Options& options, bool is_required) {
  command->add_option("--client", options.clients, "Name of a client, its user name; may be given again")
      ->type_name("NAME")
      ->required(is_required)
      ->allow_extra_args(false);
}

struct Command {
  CLI::App* app;
  Result<int> (*run)(const Options& options);
};

std::vector<Command> commands_of(CLI::App& app, Options& options) {
  CLI::App* made = app.add_subcommand("init", "Make an authority, the broker's certificate, and clients'");
  add_directory(made, options);
  made->add_option("--name", options.names, "DNS name of the broker; may be given again")
      ->type_name("NAME")
      ->allow_extra_args(false);
  made->add_option("--ip", options.addresses, "IP address of the broker: controllers connect by it")
      ->type_name("IP")
      ->allow_extra_args(false);
  add_clients(made, options, false);
  made->add_flag("--rsa", options.is_rsa, "RSA keys, for controllers that know no other");
  CLI::App* added = app.add_subcommand("add", "Make a certificate for a further client");
  add_directory(added, options);
  add_clients(added, options, true);
  CLI::App* renewed = app.add_subcommand("renew", "Issue anew what ends soon, with the same names");
  add_directory(renewed, options);
  renewed->add_option("--days", options.days, "What ends within so many days (default 60)")->type_name("N");
  renewed->add_flag("--all", options.renews_all, "Everything");
  CLI::App* revoked = app.add_subcommand("revoke", "Put a client's certificate on the revocation list");
  add_directory(revoked, options);
  add_clients(revoked, options, true);
  CLI::App* explained = app.add_subcommand("explain", "Say what clients will object to");
  explained->add_option("what", options.explain.what, "Certificate file, or broker")
      ->type_name("FILE|HOST:PORT")
      ->required();
  explained->add_option("--cafile", options.explain.authorities, "PEM file: the authority that clients know")
      ->type_name("FILE");
  explained->add_option("--key", options.explain.key, "PEM file: the private key of the certificate")
      ->type_name("FILE");
  explained->add_option("--name", options.explain.name, "Name or address that clients connect to")
      ->type_name("NAME");
  return {{made, init}, {added, add}, {renewed, renew}, {revoked, revoke}, {explained, [](const Options& o) {
                                                                              return explain_certificate(
                                                                                  o.explain);
                                                                            }}};
}

int complain(std::string_view text) {
  fmt::print(stderr, "nightjar tls: {}\n", text);
  return kFailed;
}

}  // namespace

int run_tls(int argc, char** argv) {
  Options options;
  CLI::App app{"Makes certificates, and explains them.", "nightjar tls"};
  app.footer(kExamples);
  app.require_subcommand(1);
  const std::vector<Command> commands = commands_of(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    fmt::print("{}", chosen.empty() ? app.help() : chosen.front()->help());
    return 0;
  } catch (const CLI::ParseError& error) {
    return complain(option_error(app, error));
  }
  if (commands.front().app->parsed() && options.names.empty() && options.addresses.empty()) {
    return complain("a broker's certificate needs a name that clients connect to: --name or --ip");
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    const auto done = command.run(options);
    return done ? *done : complain(done.error().message);
  }
  return kFailed;
}

}  // namespace nightjar::cli
