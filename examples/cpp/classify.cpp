// Classify several arrays side by side, each in a thread with an instance of the network:
//
//     classify FILE.so INPUT.bin ...
//
// An input is the bare float32 elements of the network's one input, as numpy's tofile writes them.
#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>
#include <thread>

#include "tvmlcnn.hpp"

static std::vector<float> read(const std::string &path, std::size_t bytes) {
    std::vector<float> elements(bytes / sizeof(float));
    std::ifstream file(path, std::ios::binary);
    if (!file.read(reinterpret_cast<char *>(elements.data()), std::streamsize(bytes)) ||
        file.peek() != std::ifstream::traits_type::eof())
        throw tvmlcnn::Error(path + " has not the " + std::to_string(bytes) + " bytes of the input");
    return elements;
}

static std::string classify(std::shared_ptr<const tvmlcnn::File> file, const std::string &path) {
    const std::vector<float> pixels = read(path, file->inputs().at(0).bytes);
    std::vector<float> scores(file->outputs().at(0).bytes / sizeof(float));
    tvmlcnn::Instance network(file, 1); // a thread each: there are as many as inputs
    network.run({pixels}, {scores});
    const auto best = std::ranges::max_element(scores);
    return path + ": class " + std::to_string(best - scores.begin()) + ", score " + std::to_string(*best);
}

int main(int count, char **words) try {
    if (count < 3) throw tvmlcnn::Error("give a compiled file and inputs");
    const auto file = std::make_shared<const tvmlcnn::File>(words[1]);
    const std::span inputs(words + 2, std::size_t(count - 2));
    std::vector<std::string> answers(inputs.size());
    std::vector<std::exception_ptr> errors(inputs.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < inputs.size(); i++)
        threads.emplace_back([&, i] {
            try {
                answers[i] = classify(file, inputs[i]);
            } catch (...) {
                errors[i] = std::current_exception();
            }
        });
    for (std::thread &thread : threads) thread.join();
    for (const std::exception_ptr &error : errors)
        if (error) std::rethrow_exception(error);
    for (const std::string &answer : answers) std::cout << answer << '\n';
} catch (const std::exception &error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
}
