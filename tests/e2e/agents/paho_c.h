// What the two Paho C agents share: the words of a line, payloads as words, events as lines (../agent.py).
#pragma once

#include <MQTTProperties.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 16
#define PAYLOAD_WORD_MAX 1000
#define CALL_TIMEOUT_MS 20000

// One write per line: callbacks of the library come on threads of its own.
__attribute__((format(printf, 1, 2))) static inline void say(const char* format, ...) {
  char line[2 * PAYLOAD_WORD_MAX];
  va_list values;
  va_start(values, format);
  vsnprintf(line, sizeof line, format, values);
  va_end(values);
  flockfile(stdout);
  puts(line);
  fflush(stdout);
  funlockfile(stdout);
}

static inline int split(char* line, char* words[WORDS_MAX]) {
  int count = 0;
  char* rest = NULL;
  for (char* word = strtok_r(line, " \n", &rest); word && count < WORDS_MAX;
       word = strtok_r(NULL, " \n", &rest)) {
    words[count++] = word;
  }
  return count;
}

static inline char pattern_at(size_t i) { return (char)('a' + i % 26); }

// The bytes that a payload word stands for; the caller frees them.
static inline char* payload_of(const char* word, int* length) {
  if (strcmp(word, "-") == 0) word = "";
  *length = word[0] == '@' ? atoi(word + 1) : (int)strlen(word);
  char* bytes = malloc((size_t)*length + 1);
  for (int i = 0; i < *length; ++i) bytes[i] = word[0] == '@' ? pattern_at((size_t)i) : word[i];
  bytes[*length] = '\0';
  return bytes;
}

static inline void say_message(const char* topic, int topic_length, int qos, int retained, const char* bytes,
                               int length, MQTTProperties* properties) {
  char word[PAYLOAD_WORD_MAX + 1] = "-";
  if (length > PAYLOAD_WORD_MAX) {
    int same = 0;
    while (same < length && bytes[same] == pattern_at((size_t)same)) ++same;
    snprintf(word, sizeof word, same == length ? "@%d" : "garbled", length);
  } else if (length > 0) {
    snprintf(word, sizeof word, "%.*s", length, bytes);
  }
  char property[128] = "";
  if (MQTTProperties_hasProperty(properties, MQTTPROPERTY_CODE_USER_PROPERTY)) {
    MQTTProperty* p = MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_USER_PROPERTY);
    snprintf(property, sizeof property, " %.*s=%.*s", p->value.data.len, p->value.data.data,
             p->value.value.len, p->value.value.data);
  }
  // The libraries give the length of a topic only when it holds U+0000.
  const int shown = topic_length > 0 ? topic_length : (int)strlen(topic);
  say("message %.*s %d %d %s%s", shown, topic, qos, retained, word, property);
}

static inline void add_session_expiry(MQTTProperties* properties, const char* seconds) {
  MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
  expiry.value.integer4 = (unsigned)strtoul(seconds, NULL, 10);
  MQTTProperties_add(properties, &expiry);
}

// `word` is NAME=VALUE.
static inline void add_user_property(MQTTProperties* properties, char* word) {
  char* value = strchr(word, '=');
  *value++ = '\0';
  MQTTProperty user = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY};
  user.value.data = (MQTTLenString){(int)strlen(word), word};
  user.value.value = (MQTTLenString){(int)strlen(value), value};
  MQTTProperties_add(properties, &user);
}
