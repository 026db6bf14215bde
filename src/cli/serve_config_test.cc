#include "cli/serve_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct ServeConfigTest : testing::Test {
  // Options that name a file with this content.
  ServeOptions with_file(std::string_view content) {
    std::ofstream(path) << content;
    return {.config_file = path};
  }
  test_support::TempDir directory;
  std::string path = directory.path() / "nightjar.toml";
};

TEST_F(ServeConfigTest, WithoutAnythingItServesThisMachineToAnybodyOnIt) {
  const auto config = serve_config({});
  ASSERT_TRUE(config.has_value());
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].address, "localhost");
  EXPECT_EQ(config->listeners[0].port, 1883);
  EXPECT_TRUE(config->listeners[0].policy.allow_anonymous);
  EXPECT_EQ(config->node.data_dir, "./data");
}

TEST_F(ServeConfigTest, TheCommandLineOverridesTheFile) {
  ServeOptions options = with_file("[node]\ndata = \"/a\"\nworkers = 2\n[[listener]]\nport = 1900\n");
  options.port = 1901;
  options.data_dir = "/b";
  options.workers = 3;
  const auto config = serve_config(options);
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->listeners.at(0).port, 1901);
  EXPECT_EQ(config->node.data_dir, "/b");
  EXPECT_EQ(config->node.workers, 3);
}

TEST_F(ServeConfigTest, APortWithoutAListenerIsForTheLocalOneWithTheLimitsOfTheFile) {
  ServeOptions options = with_file("[limits]\nmaximum_qos = 1\n");
  options.port = 1901;
  const auto config = serve_config(options);
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->listeners.at(0).address, "localhost");
  EXPECT_EQ(config->listeners.at(0).port, 1901);
  EXPECT_EQ(config->listeners.at(0).policy.maximum_qos, mqtt::Qos::kAtLeastOnce);
}

TEST_F(ServeConfigTest, AWrongAddressIsNamedWithItsPlace) {
  const auto config = serve_config(with_file(
      "[[listener]]\nname = \"plain\"\naddress = \"10.0.0.999\"\n\n[[listener]]\naddress = \"plc\"\n"));
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error(),
              ElementsAre(AllOf(HasSubstr(path + ":3:11: \"address\" in [listener.plain]: "),
                                HasSubstr("\"10.0.0.999\" is not an address"), HasSubstr("\"127.0.0.1\"")),
                          HasSubstr(path + ":6:11: \"address\" in [listener.2]: ")));
}

TEST_F(ServeConfigTest, APortOfTheCommandLineIsNotSaidByTheFile) {
  ServeOptions options = with_file("[[listener]]\nport = 1900\n");
  const auto as_the_file_says = serve_config(options);
  ASSERT_TRUE(as_the_file_says.has_value());
  EXPECT_EQ(config::said_at(*as_the_file_says, "listener.1", "port"),
            path + ":2:8: \"port\" in [listener.1]: ");
  options.port = 1901;
  const auto overridden = serve_config(options);
  ASSERT_TRUE(overridden.has_value());
  EXPECT_EQ(config::said_at(*overridden, "listener.1", "port"), "");
}

TEST_F(ServeConfigTest, APortForSeveralListenersIsRefused) {
  ServeOptions options = with_file("[[listener]]\nport = 1900\n[[listener]]\nport = 1901\n");
  options.port = 1902;
  const auto config = serve_config(options);
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error(), ElementsAre(HasSubstr("which of the 2 listeners")));
}

TEST_F(ServeConfigTest, MoreWorkersThanShardsAreRefused) {
  ServeOptions options = with_file("[node]\nshards = 2\n");
  options.workers = 4;
  const auto config = serve_config(options);
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error(), ElementsAre(HasSubstr("use at most 2")));
}

TEST_F(ServeConfigTest, ProblemsOfTheFileComeThrough) {
  const auto config = serve_config(with_file("[log]\nlevle = 1\n"));
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error(), ElementsAre(HasSubstr(":2:1: unknown key \"levle\"")));
}

}  // namespace
}  // namespace nightjar::cli
