<?php
if ($_SERVER['REQUEST_URI'] === '/slow') {
    sleep(2);
}
echo getenv('KEY');
