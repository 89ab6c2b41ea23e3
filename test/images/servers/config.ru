run lambda { |env|
  sleep 2 if env['PATH_INFO'] == '/slow'
  [200, { 'Content-Length' => ENV['KEY'].length.to_s }, [ENV['KEY']]]
}
