#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nightjar::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

auto serve(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "serve");
  return parse_serve(static_cast<int>(arguments.size()), arguments.data());
}
auto ctl(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ctl");
  return parse_ctl(static_cast<int>(arguments.size()), arguments.data());
}
auto doctor(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "doctor");
  return parse_doctor(static_cast<int>(arguments.size()), arguments.data());
}
auto store(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "store");
  return parse_store(static_cast<int>(arguments.size()), arguments.data());
}

TEST(ServeOptions, AreOptional) {
  const auto options = serve({});
  ASSERT_TRUE(options.has_value());
  EXPECT_FALSE(options->config_file.has_value());
  EXPECT_FALSE(options->port.has_value());
  EXPECT_FALSE(options->data_dir.has_value());
  EXPECT_FALSE(options->workers.has_value());
}

TEST(ServeOptions, AreTaken) {
  const auto options = serve({"-c", "n.toml", "-p", "1884", "--data", "/d", "--workers", "3"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->config_file, "n.toml");
  EXPECT_EQ(options->port, 1884);
  EXPECT_EQ(options->data_dir, "/d");
  EXPECT_EQ(options->workers, 3);
}

TEST(ServeOptions, HelpIsNoErrorAndNonsenseIs) {
  EXPECT_EQ(serve({"--help"}).error(), 0);
  EXPECT_EQ(serve({"--prot", "1"}).error(), 3);
  EXPECT_EQ(serve({"-p", "0"}).error(), 3);
  EXPECT_EQ(serve({"-p", "65536"}).error(), 3);
  EXPECT_EQ(serve({"--workers", "65"}).error(), 3);
  EXPECT_EQ(serve({"stray"}).error(), 3);
}

// What the user reads about a mistake.
template <typename Parse>
std::string complaint(Parse parse, const std::vector<const char*>& arguments) {
  testing::internal::CaptureStderr();
  EXPECT_NE(parse(arguments).error(), 0);
  return testing::internal::GetCapturedStderr();
}

TEST(ServeOptions, AMistypedOneGetsASuggestionAndTheWayToHelp) {
  EXPECT_EQ(complaint(serve, {"--prot", "1883"}),
            "nightjar serve: unknown option \"--prot\"; did you mean \"--port\"?\n"
            "\"nightjar serve --help\" lists the options.\n");
  EXPECT_THAT(complaint(serve, {"--worker=2"}), HasSubstr("did you mean \"--workers\"?"));
  EXPECT_THAT(complaint(serve, {"--colour"}), Not(HasSubstr("did you mean")));
  EXPECT_THAT(complaint(serve, {"-x"}), HasSubstr("unknown option \"-x\""));
  EXPECT_THAT(complaint(serve, {"stray"}), HasSubstr("unexpected argument \"stray\""));
  EXPECT_THAT(complaint(serve, {"-p", "0"}), HasSubstr("nightjar serve --help"));
}

TEST(CtlOptions, MistypedOnesGetASuggestion) {
  EXPECT_THAT(complaint(ctl, {"stats", "--jsn"}), HasSubstr("did you mean \"--json\"?"));
  EXPECT_THAT(complaint(ctl, {"stat"}), HasSubstr("unknown command \"stat\"; did you mean \"stats\"?"));
  EXPECT_THAT(complaint(ctl, {"kick", "a", "b"}), HasSubstr("unexpected argument \"b\""));
}

TEST(CtlOptions, StandBeforeOrBehindTheCommand) {
  for (const auto& options :
       {ctl({"stats", "--data", "/d", "--json"}), ctl({"--data", "/d", "--json", "stats"})}) {
    ASSERT_TRUE(options.has_value());
    EXPECT_EQ(options->command, "stats");
    EXPECT_EQ(options->data_dir, "/d");
    EXPECT_TRUE(options->is_json);
  }
}

TEST(CtlOptions, CommandsTakeTheirArguments) {
  const auto kick = ctl({"kick", "pump-17"});
  ASSERT_TRUE(kick.has_value());
  EXPECT_EQ(kick->command, "kick");
  EXPECT_EQ(kick->client_id, "pump-17");
  const auto move = ctl({"shard-move", "5", "1"});
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->command, "shard-move");
  EXPECT_EQ(move->shard, 5);
  EXPECT_EQ(move->worker, 1);
}

TEST(CtlOptions, NeedACommandAndItsArguments) {
  EXPECT_EQ(ctl({}).error(), 1);
  EXPECT_EQ(ctl({"kick"}).error(), 1);
  EXPECT_EQ(ctl({"shard-move", "5"}).error(), 1);
  EXPECT_EQ(ctl({"dance"}).error(), 1);
  EXPECT_EQ(ctl({"stats", "--help"}).error(), 0);
}

TEST(DoctorOptions, AreTaken) {
  const auto options =
      doctor({"-c", "n.toml", "--workers", "3", "--connections", "200000", "--pid", "7", "--json"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->serve.config_file, "n.toml");
  EXPECT_EQ(options->serve.workers, 3);
  EXPECT_EQ(options->connections, 200'000u);
  EXPECT_EQ(options->process_id, 7);
  EXPECT_TRUE(options->is_json);
}

TEST(DoctorOptions, AreOptionalAndNonsenseIsRefused) {
  const auto options = doctor({});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->connections, 0u) << "the usual number";
  EXPECT_FALSE(options->process_id.has_value());
  EXPECT_EQ(doctor({"--help"}).error(), 0);
  EXPECT_EQ(doctor({"--connections", "0"}).error(), 1);
  EXPECT_THAT(complaint(doctor, {"--conections", "5"}), HasSubstr("did you mean \"--connections\"?"));
}

TEST(StoreOptions, AreTakenBeforeAndAfterTheCommand) {
  const auto dump =
      store({"--data", "/d", "dump", "--client", "pump", "--topic", "a/#", "--payload", "--json"});
  ASSERT_TRUE(dump.has_value());
  EXPECT_EQ(dump->command, "dump");
  EXPECT_EQ(dump->data_dir, "/d");
  EXPECT_EQ(dump->client_id, "pump");
  EXPECT_EQ(dump->topic_filter, "a/#");
  EXPECT_TRUE(dump->has_payloads && dump->is_json);
  const auto backup = store({"backup", "/b", "--data", "/d"});
  ASSERT_TRUE(backup.has_value());
  EXPECT_EQ(backup->target, "/b");
  EXPECT_EQ(store({"verify"})->data_dir, "./data");
}

TEST(StoreOptions, NonsenseIsRefused) {
  EXPECT_EQ(store({}).error(), 1);
  EXPECT_EQ(store({"backup"}).error(), 1);
  EXPECT_EQ(store({"--help"}).error(), 0);
  EXPECT_THAT(complaint(store, {"dump", "--topic", "a/#/b"}), HasSubstr("\"a/#/b\" is no topic filter"));
  EXPECT_EQ(store({"destroy"}).error(), 1);
}

}  // namespace
}  // namespace nightjar::cli
