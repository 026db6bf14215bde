#include "net/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "broker/connection.h"
#include "broker/shard_move.h"
#include "net/event_loop.h"
#include "net/mail_room.h"

namespace nightjar::net {
namespace {

using broker::FilterId;
using broker::MailBatch;
using testing::ElementsAre;
using testing::IsEmpty;

// A batch that can be told from others by its sender and number.
std::unique_ptr<MailBatch> batch(std::uint16_t from, std::uint32_t number) {
  auto made = std::make_unique<MailBatch>();
  made->from = {from};
  made->filters.push_back(FilterId{number});
  return made;
}

std::vector<std::uint32_t> numbers(Mailbox& mailbox) {
  std::vector<std::uint32_t> found;
  mailbox.take([&](std::unique_ptr<MailBatch> taken) { found.push_back(taken->filters.front().value); });
  return found;
}

TEST(Mailbox, GivesOutInTheOrderOfPosting) {
  Mailbox mailbox;
  for (std::uint32_t i = 1; i <= 3; ++i) (void)mailbox.post(batch(0, i));
  EXPECT_THAT(numbers(mailbox), ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers(mailbox), IsEmpty());
}

TEST(Mailbox, WhatReadingPostsWaitsForTheNextTime) {
  Mailbox mailbox;
  (void)mailbox.post(batch(0, 1));
  mailbox.take([&](std::unique_ptr<MailBatch>) { (void)mailbox.post(batch(0, 2)); });
  EXPECT_THAT(numbers(mailbox), ElementsAre(2));
}

TEST(Mailbox, OnlyTheFirstPostToASleeperWakesIt) {
  Mailbox mailbox;
  EXPECT_FALSE(mailbox.post(batch(0, 1))) << "it is awake";
  EXPECT_FALSE(mailbox.may_sleep()) << "there is mail";
  numbers(mailbox);
  EXPECT_TRUE(mailbox.may_sleep());
  EXPECT_TRUE(mailbox.post(batch(0, 2)));
  EXPECT_FALSE(mailbox.post(batch(0, 3)));
}

TEST(Mailbox, ForgetsNothingWhenDestroyed) {
  // The leak checker is the judge.
  Mailbox mailbox;
  (void)mailbox.post(batch(0, 1));
  (void)mailbox.post(batch(0, 2));
}

// Producers and a consumer that really sleeps: every batch arrives, those of one producer in order, and
// nobody sleeps on mail.
TEST(Mailbox, KeepsTheOrderOfEachProducerUnderThreads) {
  constexpr std::uint16_t kProducers = 3;
  constexpr std::uint32_t kBatches = 20'000;
  const auto loop = EventLoop::open().value();
  Mailbox mailbox;
  std::vector<std::thread> producers;
  for (std::uint16_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (std::uint32_t i = 0; i < kBatches; ++i) {
        if (mailbox.post(batch(p, i))) loop->wake();
      }
    });
  }
  std::vector<std::uint32_t> next(kProducers, 0);
  std::uint32_t received = 0;
  bool in_order = true;
  while (received < kProducers * kBatches) {
    // A lost wake-up would let this wait run into its bound.
    if (mailbox.may_sleep()) {
      const std::size_t before = received;
      loop->wait(Duration::seconds(60));
      ASSERT_EQ(before, received);
    }
    mailbox.woke_up();
    loop->dispatch();
    mailbox.take([&](std::unique_ptr<MailBatch> taken) {
      in_order = in_order && taken->filters.front().value == next[taken->from.value]++;
      ++received;
    });
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(in_order);
  EXPECT_THAT(next, ElementsAre(kBatches, kBatches, kBatches));
}

TEST(MailRoom, CarriesTasksToTheRightWorker) {
  const auto room = MailRoom::open(2).value();
  room->run_on({1}, [](broker::Worker&) {});
  EXPECT_THAT(numbers(room->mailbox({0})), IsEmpty());
  int tasks = 0;
  room->mailbox({1}).take([&](std::unique_ptr<MailBatch> taken) {
    tasks += static_cast<int>(std::holds_alternative<broker::TaskMail>(taken->mail.at(0)));
  });
  EXPECT_EQ(tasks, 1);
}

}  // namespace
}  // namespace nightjar::net
